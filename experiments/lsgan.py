"""LSGAN: least squares in place of cross-entropy (Mao et al. 2017, arXiv:1611.04076).

    python experiments/lsgan.py                               # mnist5k, 28x28
    python experiments/lsgan.py --data tfds:cifar10

Expect recognisable digits after about 1,000 steps, like a DCGAN's; the losses stay bounded where D wins.

The default run takes about 2 CPU minutes.
"""

from dataclasses import dataclass

from gen_jax import experiment
from gen_jax.core.domains import Size
from gen_jax.core.types import Algorithm
from gen_jax.data.source import Source
from gen_jax.models import gan
from gen_jax.models.gan_parts import normal_latents
from gen_jax.nets import dcgan
from gen_jax.objectives import adversarial


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    latent_size: Size = 100
    width: Size = 32
    """channels of the widest image's layer; deeper layers double it"""
    hyper: gan.Hyper = gan.Hyper()


def build(config: Config, data: Source) -> Algorithm:
    return gan.gan(
        dcgan.Generator(data.shape, width=config.width, dtype=config.dtype),
        dcgan.Discriminator(width=config.width, dtype=config.dtype),
        loss=adversarial.least_squares,
        shape=data.shape,
        latents=normal_latents(config.latent_size),
        hyper=config.hyper,
    )


if __name__ == "__main__":
    experiment.main(Config, build)
