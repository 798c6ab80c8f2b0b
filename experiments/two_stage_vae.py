"""Two-stage VAE (Dai & Wipf 2019, arXiv:1903.05789): a second VAE of the first one's codes mends what it samples.

python experiments/two_stage_vae.py
"""

from dataclasses import asdict, dataclass, field

import jax.numpy as jnp

from gen_jax import experiment
from gen_jax.core.types import Algorithm
from gen_jax.models.two_stage_vae import two_stage_vae
from gen_jax.nets import dcgan, mlp
from gen_jax.objectives import likelihoods
from gen_jax.objectives.likelihoods import Binarization


@dataclass(frozen=True)
class Hyper:
    lr: float = 1e-3
    b1: float = 0.9
    b2: float = 0.999
    beta: float = 1.0
    lr_second: float = 1e-3
    ema_decay: float = 0.99


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    binarization: Binarization = Binarization.DYNAMIC
    second_width: int = 512
    """of the second stage's three hidden layers"""
    latent_size: int = 16
    width: int = 32
    """channels of the widest image's layer; deeper layers double it"""
    hyper: Hyper = field(default_factory=Hyper)


def build(config: Config, data) -> Algorithm:
    dtype = jnp.dtype(config.precision)
    widths = (config.second_width,) * 3
    return two_stage_vae(
        dcgan.Encoder(config.latent_size, width=config.width, dtype=dtype),
        dcgan.Decoder(data.shape, width=config.width, dtype=dtype),
        mlp.Encoder(config.latent_size, widths=widths, dtype=dtype),
        mlp.Decoder((config.latent_size,), outputs=2 * config.latent_size, widths=widths, dtype=dtype),
        likelihood=likelihoods.bernoulli(),
        binarization=config.binarization,
        shape=data.shape,
        latent_size=config.latent_size,
        hyper=asdict(config.hyper),
    )


if __name__ == "__main__":
    experiment.main(Config, build)
