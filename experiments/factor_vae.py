"""FactorVAE (Kim & Mnih 2018, arXiv:1802.05983): total correlation from a discriminator of shuffled codes.

python experiments/factor_vae.py --hyper.total-correlation 10
"""

from dataclasses import asdict, dataclass, field

import jax.numpy as jnp

from gen_jax import experiment
from gen_jax.core.types import Algorithm
from gen_jax.models.factor_vae import factor_vae
from gen_jax.nets import dcgan, mlp
from gen_jax.objectives import likelihoods
from gen_jax.objectives.likelihoods import Binarization


@dataclass(frozen=True)
class Hyper:
    lr: float = 1e-3
    b1: float = 0.9
    b2: float = 0.999
    beta: float = 1.0
    total_correlation: float = 10.0
    """the paper's gamma"""
    lr_discriminator: float = 1e-4
    b1_discriminator: float = 0.5
    ema_decay: float = 0.99


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    binarization: Binarization = Binarization.DYNAMIC
    discriminator_width: int = 256
    discriminator_depth: int = 4
    """hidden layers; the paper has 6 of 1,000"""
    latent_size: int = 10
    width: int = 32
    """channels of the widest image's layer; deeper layers double it"""
    hyper: Hyper = field(default_factory=Hyper)


def build(config: Config, data) -> Algorithm:
    dtype = jnp.dtype(config.precision)
    return factor_vae(
        dcgan.Encoder(config.latent_size, width=config.width, dtype=dtype),
        dcgan.Decoder(data.shape, width=config.width, dtype=dtype),
        mlp.Discriminator(widths=(config.discriminator_width,) * config.discriminator_depth, dtype=dtype),
        likelihood=likelihoods.bernoulli(),
        binarization=config.binarization,
        shape=data.shape,
        latent_size=config.latent_size,
        hyper=asdict(config.hyper),
    )


if __name__ == "__main__":
    experiment.main(Config, build)
