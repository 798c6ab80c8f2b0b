"""A convolutional variational autoencoder, with every way of steering its KL (Kingma & Welling 2014, arXiv:1312.6114).

python experiments/conv_vae.py                                          # mnist5k, dynamic binarisation, Bernoulli
python experiments/conv_vae.py --rate geco --hyper.tolerance 25         # Rezende & Viola 2018
python experiments/conv_vae.py --rate free_bits --hyper.free-bits 0.25  # Kingma et al. 2016, nats a dimension
python experiments/conv_vae.py --data tfds:cifar10 --binarization NONE --likelihood mixture
"""

from dataclasses import asdict, dataclass, field
from typing import Literal

import jax.numpy as jnp

from gen_jax import experiment
from gen_jax.core.types import Algorithm
from gen_jax.models.vae import vae
from gen_jax.nets import dcgan
from gen_jax.objectives import discretized, likelihoods
from gen_jax.objectives.likelihoods import Binarization
from gen_jax.objectives.rate import FreeBits, cyclical, linear_warmup


@dataclass(frozen=True)
class Hyper:
    lr: float = 1e-3
    b1: float = 0.9
    b2: float = 0.999
    beta: float = 1.0
    """weight of the KL; 1 is the bound itself"""
    free_bits: float = 0.1
    """nats a latent dimension that cost nothing, where rate is free_bits"""
    gamma: float = 30.0
    """weight of |KL - capacity|, where rate is capacity"""
    tolerance: float = 30.0
    """squared error an image, in units of [-1, 1] pixels, that geco holds to"""
    ema_decay: float = 0.99


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    likelihood: Literal["bernoulli", "continuous_bernoulli", "mixture"] = "bernoulli"
    """mixture: 10 discretized logistics, for 8-bit images"""
    binarization: Binarization = Binarization.DYNAMIC
    rate: Literal["beta", "cyclical", "free_bits", "capacity", "geco"] = "beta"
    latent_size: int = 32
    width: int = 32
    warm_up: int = 500
    """steps over which beta or the capacity rises, or the period of the cycle; 0: no warm-up"""
    capacity: float = 25.0
    """nats, at the end of the warm-up"""
    hyper: Hyper = field(default_factory=Hyper)


def build(config: Config, data) -> Algorithm:
    makers = {
        "bernoulli": likelihoods.bernoulli,
        "continuous_bernoulli": likelihoods.continuous_bernoulli,
        "mixture": discretized.discretized_logistic_mixture,
    }
    likelihood, dtype = makers[config.likelihood](), jnp.dtype(config.precision)
    outputs = likelihood.parameters(data.shape[-1])
    warm_up = cyclical(config.warm_up) if config.rate == "cyclical" else linear_warmup(config.warm_up)
    return vae(
        dcgan.Encoder(config.latent_size, width=config.width, dtype=dtype),
        dcgan.Decoder(data.shape, outputs=outputs, width=config.width, dtype=dtype),
        likelihood=likelihood,
        binarization=config.binarization,
        shape=data.shape,
        latent_size=config.latent_size,
        warm_up=warm_up,
        free_bits=FreeBits.PER_DIMENSION if config.rate == "free_bits" else FreeBits.NONE,
        capacity=linear_warmup(config.warm_up, end=config.capacity) if config.rate == "capacity" else None,
        geco=config.rate == "geco",
        hyper=asdict(config.hyper),
    )


if __name__ == "__main__":
    experiment.main(Config, build)
