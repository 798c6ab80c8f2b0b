"""M1 + M2: classes learnt from few labels in the latents of a VAE (Kingma et al. 2014, arXiv:1406.5298).

    python experiments/m1_m2.py                                              # mnist5k, 10 labels a class
    python experiments/m1_m2.py --data tfds:mnist --steps 30000
    python -m gen_jax evaluate runs/m1_m2-mnist5k-seed0 --metrics accuracy

--seed draws the labelled examples as well as weights and noise. M1 has two layers of 600 softplus units, as in the
paper, which has 3.33 % errors (± .14) on MNIST with 100 labels, and M2 one. M2 begins when M1 is done (--pretrain 0:
they learn side by side). Two things are smaller than the paper's: M1 has 20 latents for 50, as it uses some 22 of 50 on
MNIST, and M2 would learn the noise of the others; and M2 has 10, so that a class explains what they cannot.

Expect the accuracies of docs/applications.md; a few CPU minutes.
"""

from dataclasses import dataclass

from flax import linen as nn
from flax.linen.initializers import constant

from gen_jax import experiment
from gen_jax.core.domains import NonNegative, Share, Size, Whole
from gen_jax.core.lines import say
from gen_jax.core.players import adam_for
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
    lr_second: NonNegative = 1e-2
    """of M2, which has few units"""
    alpha: NonNegative = 0.1
    """weight of the classifier's cross-entropy of labelled examples, as in the paper"""
    labelled: NonNegative = 0.002
    """weight of a labelled example's bound beside an unlabelled one's: the paper's, of 100 labels and 60,000 images"""


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    labels_per_class: int | None = 10
    batch_size: int = 100
    steps: int = 8000
    binarization: Binarization = Binarization.DYNAMIC
    pretrain: Whole = 4000
    """rounds of M1 alone, which rests when M2 begins; 0: side by side"""
    latent_size: Size = 20
    """of M1"""
    second_latents: Size = 10
    """latents of M2 beside the class"""
    width: Size = 600
    """units of M1's two layers"""
    second_width: Size = 200
    """units of M2's layer"""
    decay: Share = 0.5
    """last share of M2's rounds, in which its rate falls to 0; with more --steps it goes on at the rate of its place"""
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    classes, dtype, d = classes_of(data, "m1_m2"), config.dtype, config.latent_size
    if config.pretrain >= config.steps:
        say(f"--pretrain {config.pretrain:,} of --steps {config.steps:,}: M1 alone, whose M2 has not begun")
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
        by_class.Encoder(config.second_latents, classes, widths, dtype=dtype),
        mlp.Decoder((d,), outputs=2 * d, widths=widths, activation=nn.softplus, classes=classes, dtype=dtype),
        classes=classes,
        pretrain=config.pretrain,
        optimizer=adam_for("lr_second", max(config.steps - config.pretrain, 1), config.decay),
    )


if __name__ == "__main__":
    experiment.main(Config, build)
