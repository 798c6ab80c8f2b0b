"""BiGAN (Donahue et al. 2017, arXiv:1605.09782), or with --stochastic ALI (Dumoulin et al. 2017).

python experiments/bigan.py
"""

from dataclasses import asdict, dataclass, field

import jax.numpy as jnp

from gen_jax import experiment
from gen_jax.core.types import Algorithm
from gen_jax.models.bigan import bigan
from gen_jax.nets import dcgan, joint


@dataclass(frozen=True)
class Hyper:
    lr_generator: float = 2e-4
    lr_discriminator: float = 2e-4
    b1: float = 0.5
    b2: float = 0.999
    ema_decay: float = 0.99


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    stochastic: bool = False
    """ALI: the encoder is a Gaussian rather than a function"""
    latent_size: int = 50
    width: int = 32
    """channels of the widest image's layer; deeper layers double it"""
    hyper: Hyper = field(default_factory=Hyper)


def build(config: Config, data) -> Algorithm:
    dtype = jnp.dtype(config.precision)
    return bigan(
        dcgan.Generator(data.shape, width=config.width, dtype=dtype),
        dcgan.Encoder(config.latent_size, width=config.width, dtype=dtype),
        joint.ConvDiscriminator(width=config.width, dtype=dtype),
        shape=data.shape,
        latent_size=config.latent_size,
        stochastic=config.stochastic,
        hyper=asdict(config.hyper),
    )


if __name__ == "__main__":
    experiment.main(Config, build)
