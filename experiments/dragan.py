"""DRAGAN: a gradient penalty around the data for the ordinary game (Kodali et al. 2017, arXiv:1705.07215).

    python experiments/dragan.py                              # mnist5k, 28x28

lambda 10, one discriminator step a round; no BatchNorm in the discriminator, whose penalty is about single examples.
Adam is DCGAN's, 2e-4 (.5, .999); the authors' notebook has 1e-4 (.5, .9).
Expect recognisable digits after about 1,000 steps.

The default run takes about 3 CPU minutes.
"""

from dataclasses import dataclass

from gen_jax import experiment
from gen_jax.core.domains import NonNegative, Size
from gen_jax.core.types import Algorithm
from gen_jax.data.source import Source
from gen_jax.models import gan, gan_terms
from gen_jax.models.gan_parts import normal_latents
from gen_jax.nets import dcgan
from gen_jax.objectives import adversarial


@dataclass(frozen=True, kw_only=True)
class Hyper(gan.Hyper):
    dragan: NonNegative = 10.0


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    latent_size: Size = 100
    width: Size = 32
    """channels of the widest image's layer; deeper layers double it"""
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    return gan.gan(
        dcgan.Generator(data.shape, width=config.width, dtype=config.dtype),
        dcgan.Discriminator(width=config.width, norm=None, dtype=config.dtype),
        loss=adversarial.non_saturating,
        shape=data.shape,
        latents=normal_latents(config.latent_size),
        terms=(gan_terms.dragan(),),
        hyper=config.hyper,
    )


if __name__ == "__main__":
    experiment.main(Config, build)
