"""A VAE of pixels whose decoder takes an adversarial step after each step of the bound.

python experiments/refined_vae.py --hyper.adversarial 10
"""

from dataclasses import asdict, dataclass, field

import jax.numpy as jnp

from gen_jax import experiment
from gen_jax.core.types import Algorithm
from gen_jax.models.refined_vae import refined_vae
from gen_jax.nets import dcgan
from gen_jax.objectives import likelihoods


@dataclass(frozen=True)
class Hyper:
    lr: float = 1e-3
    b1: float = 0.9
    b2: float = 0.999
    lr_discriminator: float = 2e-4
    beta: float = 1.0
    adversarial: float = 10.0
    """weight of the game in the decoder's second step"""
    ema_decay: float = 0.99


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    sigma: float = 0.2
    """standard deviation of the gaussian likelihood, in units of the [-1, 1] image"""
    latent_size: int = 16
    width: int = 32
    """channels of the widest image's layer; deeper layers double it"""
    hyper: Hyper = field(default_factory=Hyper)


def build(config: Config, data) -> Algorithm:
    dtype = jnp.dtype(config.precision)
    return refined_vae(
        dcgan.Encoder(config.latent_size, width=config.width, dtype=dtype),
        dcgan.Decoder(data.shape, width=config.width, dtype=dtype),
        dcgan.Discriminator(width=config.width, dtype=dtype),
        likelihood=likelihoods.gaussian(config.sigma),
        shape=data.shape,
        latent_size=config.latent_size,
        hyper=asdict(config.hyper),
    )


if __name__ == "__main__":
    experiment.main(Config, build)
