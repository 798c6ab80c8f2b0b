"""A VAE of points in the plane, to watch a posterior and a prior fit (or not) what a GAN drops modes of.

python experiments/vae_points.py                   # eight Gaussians on a ring
python experiments/vae_points.py --data grid25
"""

from dataclasses import asdict, dataclass, field

import jax.numpy as jnp

from gen_jax import experiment
from gen_jax.core.types import Algorithm
from gen_jax.models.vae import vae
from gen_jax.nets import mlp
from gen_jax.objectives import likelihoods


@dataclass(frozen=True)
class Hyper:
    lr: float = 1e-3
    b1: float = 0.9
    b2: float = 0.999
    beta: float = 1.0
    ema_decay: float = 0.99


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    data: str = "ring8"
    """ring8 or grid25"""
    sigma: float = 0.05
    """standard deviation of the gaussian likelihood"""
    latent_size: int = 2
    width: int = 128
    hyper: Hyper = field(default_factory=Hyper)


def build(config: Config, data) -> Algorithm:
    dtype = jnp.dtype(config.precision)
    return vae(
        mlp.Encoder(config.latent_size, widths=(config.width,) * 3, dtype=dtype),
        mlp.Decoder(data.shape, widths=(config.width,) * 3, dtype=dtype),
        likelihood=likelihoods.gaussian(config.sigma),
        shape=data.shape,
        latent_size=config.latent_size,
        hyper=asdict(config.hyper),
    )


if __name__ == "__main__":
    experiment.main(Config, build)
