"""A VAE with a two-dimensional latent space, which can be drawn (Kingma & Welling 2014, figure 4).

    python experiments/vae2d.py
    python -m gen_jax latents runs/vae2d-mnist5k-seed0    # the manifold, and the held-out codes coloured by class

Two dimensions hold little: expect ones and zeros apart, and fours and nines on top of one another.
"""

from dataclasses import asdict, dataclass, field

import jax.numpy as jnp

from gen_jax import experiment
from gen_jax.core.types import Algorithm
from gen_jax.models.vae import vae
from gen_jax.nets import mlp
from gen_jax.objectives import likelihoods
from gen_jax.objectives.likelihoods import Binarization
from gen_jax.objectives.rate import linear_warmup


@dataclass(frozen=True)
class Hyper:
    lr: float = 1e-3
    b1: float = 0.9
    b2: float = 0.999
    beta: float = 1.0
    """weight of the KL; 1 is the bound itself"""
    ema_decay: float = 0.99


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    steps: int = 6000
    latent_size: int = 2
    width: int = 400
    warm_up: int = 500
    """steps over which the KL's weight rises from 0 to beta; 0: no warm-up"""
    hyper: Hyper = field(default_factory=Hyper)


def build(config: Config, data) -> Algorithm:
    dtype = jnp.dtype(config.precision)
    return vae(
        mlp.Encoder(config.latent_size, widths=(config.width,) * 2, dtype=dtype),
        mlp.Decoder(data.shape, widths=(config.width,) * 2, dtype=dtype),
        likelihood=likelihoods.bernoulli(),
        binarization=Binarization.DYNAMIC,
        shape=data.shape,
        latent_size=config.latent_size,
        warm_up=linear_warmup(config.warm_up),
        hyper=asdict(config.hyper),
    )


if __name__ == "__main__":
    experiment.main(Config, build)
