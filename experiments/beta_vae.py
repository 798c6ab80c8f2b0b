"""β-VAE (Higgins et al. 2017), or with --capacity that of Burgess et al. 2018 (arXiv:1804.03599), equation 8.

python experiments/beta_vae.py --hyper.beta 4
python experiments/beta_vae.py --capacity 25      # γ |KL - C|, C from 0 to 25 nats over --capacity-steps
"""

from dataclasses import asdict, dataclass, field

import jax.numpy as jnp

from gen_jax import experiment
from gen_jax.core.types import Algorithm
from gen_jax.models.vae import vae
from gen_jax.nets import dcgan
from gen_jax.objectives import likelihoods
from gen_jax.objectives.likelihoods import Binarization
from gen_jax.objectives.rate import linear_warmup


@dataclass(frozen=True)
class Hyper:
    lr: float = 1e-3
    b1: float = 0.9
    b2: float = 0.999
    beta: float = 4.0
    """weight of the KL"""
    gamma: float = 30.0
    """weight of |KL - C|, where there is a capacity"""
    ema_decay: float = 0.99


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    binarization: Binarization = Binarization.DYNAMIC
    capacity: float | None = None
    """nats that the KL is led to; None: beta weighs it"""
    capacity_steps: int = 1000
    latent_size: int = 10
    width: int = 32
    """channels of the widest image's layer; deeper layers double it"""
    hyper: Hyper = field(default_factory=Hyper)


def build(config: Config, data) -> Algorithm:
    dtype = jnp.dtype(config.precision)
    capacity = None if config.capacity is None else linear_warmup(config.capacity_steps, end=config.capacity)
    return vae(
        dcgan.Encoder(config.latent_size, width=config.width, dtype=dtype),
        dcgan.Decoder(data.shape, width=config.width, dtype=dtype),
        likelihood=likelihoods.bernoulli(),
        binarization=config.binarization,
        shape=data.shape,
        latent_size=config.latent_size,
        capacity=capacity,
        hyper=asdict(config.hyper),
    )


if __name__ == "__main__":
    experiment.main(Config, build)
