"""M1 + M2: classes learnt from few labels in the latents of a VAE (Kingma et al. 2014, arXiv:1406.5298).

    python experiments/m1_m2.py                                              # mnist5k, 10 labels a class
    python experiments/m1_m2.py --data tfds:mnist --steps 30000
    python -m gen_jax evaluate runs/m1_m2-mnist5k-seed0 --metrics accuracy

--seed draws the labelled examples as well as weights and noise. M1 has two layers of 600 softplus units and 50 latents,
M2 one of 500, as in the paper, which has 3.33 % errors (± .14) on MNIST with 100 labels. There M2 begins when M1 is
done; here they learn side by side, M2 on the latents as they stand. What both give is in docs/applications.md.

Expect the accuracies of docs/applications.md; a few CPU minutes.
"""

from dataclasses import dataclass

from flax import linen as nn
from flax.linen.initializers import constant

from gen_jax import experiment
from gen_jax.core.domains import NonNegative, Size
from gen_jax.core.types import Algorithm
from gen_jax.data.brightness import mean_logit
from gen_jax.data.labelled import classes_of
from gen_jax.data.source import Source
from gen_jax.models import m2
from gen_jax.models.m1_m2 import m1_m2
from gen_jax.models.vae_body import vae_body
from gen_jax.nets import by_class, classify, mlp
from gen_jax.objectives import likelihoods
from gen_jax.objectives.likelihoods import Binarization


@dataclass(frozen=True)
class Hyper(m2.Hyper):
    lr_second: NonNegative = 1e-3
    """of M2"""


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    labels_per_class: int | None = 10
    batch_size: int = 100
    steps: int = 8000
    binarization: Binarization = Binarization.DYNAMIC
    latent_size: Size = 50
    """of M1; M2 has as many"""
    width: Size = 600
    """units of M1's two layers"""
    second_width: Size = 500
    """units of M2's layer"""
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    classes, dtype, d = classes_of(data, "m1_m2"), config.dtype, config.latent_size
    networks = {"widths": (config.width, config.width), "activation": nn.softplus, "dtype": dtype}
    first = vae_body(
        mlp.Encoder(d, **networks),
        mlp.Decoder(data.shape, bias_init=constant(mean_logit(data)), **networks),
        likelihood=likelihoods.bernoulli(),
        binarization=config.binarization,
        shape=data.shape,
        hyper=config.hyper,
    )
    widths = (config.second_width,)
    return m1_m2(
        first,
        classify.Classifier(classes, widths, dtype=dtype),
        by_class.Encoder(d, classes, widths, dtype=dtype),
        mlp.Decoder((d,), outputs=2 * d, widths=widths, activation=nn.softplus, classes=classes, dtype=dtype),
        classes=classes,
    )


if __name__ == "__main__":
    experiment.main(Config, build)
