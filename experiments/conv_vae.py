"""A convolutional variational autoencoder, with every way of steering its KL (Kingma & Welling 2014, arXiv:1312.6114).

python experiments/conv_vae.py                                          # mnist5k, dynamic binarisation, Bernoulli
python experiments/conv_vae.py --rate geco --hyper.tolerance 25         # Rezende & Viola 2018
python experiments/conv_vae.py --rate free_bits --hyper.free-bits 0.25  # Kingma et al. 2016, nats a dimension
python experiments/conv_vae.py --data tfds:cifar10 --binarization NONE --likelihood mixture

Expect a held-out ELBO near that of vae.py, -105 nats; the default run takes about 1 CPU minute.
"""

from dataclasses import dataclass
from typing import Literal

from gen_jax import experiment
from gen_jax.core.domains import NonNegative, Positive, Size, Whole
from gen_jax.core.errors import UserError
from gen_jax.core.types import Algorithm
from gen_jax.data.source import Source
from gen_jax.models import vae
from gen_jax.models.hypers import values_of
from gen_jax.models.vae_body import vae_body
from gen_jax.nets import dcgan
from gen_jax.objectives import discretized, likelihoods
from gen_jax.objectives.likelihoods import Binarization
from gen_jax.objectives.rate import FreeBits, Rate, cyclical, linear_warmup


@dataclass(frozen=True)
class Hyper(vae.Hyper):
    beta: float | None = None
    """weight of the KL, unless rate is capacity or geco; None: 1, the bound itself"""
    free_bits: NonNegative | None = None
    """nats a latent dimension that cost nothing, where rate is free_bits; None: 0.1"""
    gamma: NonNegative | None = None
    """weight of |KL - capacity|, where rate is capacity; None: 30 (Burgess et al. 2018: 1,000)"""
    tolerance: Positive | None = None
    """squared error an image, in units of [-1, 1] pixels, that geco holds to; None: 30"""


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    likelihood: Literal["bernoulli", "continuous_bernoulli", "mixture"] = "bernoulli"
    """mixture: 10 discretized logistics, for 8-bit images"""
    binarization: Binarization = Binarization.DYNAMIC
    rate: Literal["beta", "cyclical", "free_bits", "capacity", "geco"] = "beta"
    latent_size: Size = 32
    width: Size = 32
    warm_up: Whole = 500
    """steps over which beta or the capacity rises, or the period of the cycle; 0: no warm-up"""
    capacity: NonNegative = 25.0
    """nats, at the end of the warm-up"""
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    if config.rate == "cyclical" and not config.warm_up:
        raise UserError("--warm-up 0: --rate cyclical takes its period from it; give 1 or more")
    makers = {
        "bernoulli": likelihoods.bernoulli,
        "continuous_bernoulli": likelihoods.continuous_bernoulli,
        "mixture": discretized.discretized_logistic_mixture,
    }
    likelihood, dtype = makers[config.likelihood](), config.dtype
    outputs = likelihood.parameters(data.shape[-1])
    warm_up = linear_warmup(config.warm_up)
    rates = {
        "beta": lambda: Rate(warm_up=warm_up),
        "cyclical": lambda: Rate(warm_up=cyclical(config.warm_up)),
        "free_bits": lambda: Rate(warm_up=warm_up, free_bits=FreeBits.PER_DIMENSION),
        "capacity": lambda: Rate(capacity=linear_warmup(config.warm_up, end=config.capacity)),
        "geco": lambda: Rate(geco=True),
    }
    rate = rates[config.rate]()
    defaults = {"beta": 1.0, "free_bits": 0.1, "gamma": 30.0, "tolerance": 30.0}
    body = vae_body(
        dcgan.Encoder(config.latent_size, width=config.width, dtype=dtype),
        dcgan.Decoder(data.shape, outputs=outputs, width=config.width, dtype=dtype),
        likelihood=likelihood,
        binarization=config.binarization,
        shape=data.shape,
        rate=rate,
        hyper={name: defaults[name] for name in rate.reads} | values_of(config.hyper),
    )
    return vae.vae(body)


if __name__ == "__main__":
    experiment.main(Config, build)
