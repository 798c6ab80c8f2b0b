"""M2: a VAE that learns classes from few labels (Kingma et al. 2014, arXiv:1406.5298).

    python experiments/m2.py                                                 # mnist5k, 10 labels a class
    python -m gen_jax evaluate runs/m2-mnist5k-seed0 --metrics accuracy

--seed draws the labelled examples as well as weights and noise. One hidden layer of 500 softplus units and 50 latents
are the paper's; it has 11.97 % errors (± 1.71) on MNIST with 100 labels, after some thousand epochs; a few minutes of a
CPU are not enough for it (docs/applications.md). The sampler "class" draws digits of a class.

Expect the accuracies of docs/applications.md.
"""

from dataclasses import dataclass

from flax import linen as nn
from flax.linen.initializers import constant

from gen_jax import experiment
from gen_jax.core.domains import Size
from gen_jax.core.types import Algorithm
from gen_jax.data.brightness import mean_logit
from gen_jax.data.labelled import classes_of
from gen_jax.data.source import Source
from gen_jax.models import m2
from gen_jax.nets import by_class, classify, mlp
from gen_jax.objectives import likelihoods
from gen_jax.objectives.likelihoods import Binarization


@dataclass(frozen=True)
class Hyper(m2.Hyper):
    beta: None = None


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    labels_per_class: int | None = 10
    batch_size: int = 100
    steps: int = 4000
    binarization: Binarization = Binarization.DYNAMIC
    latent_size: Size = 50
    width: Size = 500
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    classes, dtype, widths = classes_of(data, "m2"), config.dtype, (config.width,)
    return m2.m2(
        classify.Classifier(classes, widths, dtype=dtype),
        by_class.Encoder(config.latent_size, classes, widths, dtype=dtype),
        mlp.Decoder(
            data.shape,
            bias_init=constant(mean_logit(data)),
            widths=widths,
            activation=nn.softplus,
            classes=classes,
            dtype=dtype,
        ),
        likelihood=likelihoods.bernoulli(),
        shape=data.shape,
        classes=classes,
        binarization=config.binarization,
        hyper=config.hyper,
    )


if __name__ == "__main__":
    experiment.main(Config, build)
