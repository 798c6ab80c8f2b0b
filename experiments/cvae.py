"""Conditional VAE (Sohn et al. 2015): encoder and decoder are told the label.

python experiments/cvae.py      # samples come in columns of equal label
"""

from dataclasses import asdict, dataclass, field

import jax.numpy as jnp

from gen_jax import experiment
from gen_jax.core.errors import UserError
from gen_jax.core.types import Algorithm
from gen_jax.models.vae import vae
from gen_jax.nets import dcgan
from gen_jax.objectives import likelihoods
from gen_jax.objectives.likelihoods import Binarization


@dataclass(frozen=True)
class Hyper:
    lr: float = 1e-3
    b1: float = 0.9
    b2: float = 0.999
    beta: float = 1.0
    ema_decay: float = 0.99


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    binarization: Binarization = Binarization.DYNAMIC
    latent_size: int = 16
    width: int = 32
    """channels of the widest image's layer; deeper layers double it"""
    hyper: Hyper = field(default_factory=Hyper)


def build(config: Config, data) -> Algorithm:
    dtype = jnp.dtype(config.precision)
    if data.classes is None:
        raise UserError(f"{data.name} has no labels to condition on; use labelled data, or experiments/conv_vae.py")
    return vae(
        dcgan.Encoder(config.latent_size, width=config.width, classes=data.classes, dtype=dtype),
        dcgan.Decoder(data.shape, width=config.width, classes=data.classes, dtype=dtype),
        likelihood=likelihoods.bernoulli(),
        binarization=config.binarization,
        shape=data.shape,
        latent_size=config.latent_size,
        classes=data.classes,
        hyper=asdict(config.hyper),
    )


if __name__ == "__main__":
    experiment.main(Config, build)
