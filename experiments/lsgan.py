"""LSGAN: least squares in place of cross-entropy (Mao et al. 2017, arXiv:1611.04076).

    python experiments/lsgan.py                               # mnist5k, 28x28
    python experiments/lsgan.py --data tfds:cifar10

Expect recognisable digits after about 1,000 steps, like a DCGAN's; the losses stay bounded where D wins.
"""

from dataclasses import asdict, dataclass, field

import jax.numpy as jnp

from gen_jax import experiment
from gen_jax.core.types import Algorithm
from gen_jax.models.gan import gan
from gen_jax.nets import dcgan
from gen_jax.objectives import adversarial


@dataclass(frozen=True)
class Hyper:
    lr_generator: float = 2e-4
    lr_discriminator: float = 2e-4
    b1: float = 0.5
    b2: float = 0.999
    ema_decay: float = 0.99


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    latent_size: int = 100
    width: int = 32
    """channels of the widest image's layer; deeper layers double it"""
    hyper: Hyper = field(default_factory=Hyper)


def build(config: Config, data) -> Algorithm:
    dtype = jnp.dtype(config.precision)
    return gan(
        dcgan.Generator(data.shape, width=config.width, dtype=dtype),
        dcgan.Discriminator(width=config.width, dtype=dtype),
        loss=adversarial.least_squares,
        shape=data.shape,
        latent_size=config.latent_size,
        hyper=asdict(config.hyper),
    )


if __name__ == "__main__":
    experiment.main(Config, build)
