"""β-VAE (Higgins et al. 2017), or with --capacity that of Burgess et al. 2018 (arXiv:1804.03599), equation 8.

python experiments/beta_vae.py --hyper.beta 4
python experiments/beta_vae.py --capacity 25      # γ |KL - C|, C from 0 to 25 nats over --capacity-steps

γ is 30, for the 1,000 steps that C rises over here; the paper and disentanglement_lib have 1,000 over 100,000 steps,
and Adam at 5e-4 and 1e-4, where ours has 1e-3.

Expect blurred digits, and fewer active units the larger beta is; the default run takes about 1 CPU minute.
"""

from dataclasses import dataclass

from flax.linen.initializers import constant

from gen_jax import experiment
from gen_jax.core.domains import NonNegative, Size, Whole
from gen_jax.core.types import Algorithm
from gen_jax.data.brightness import mean_logit
from gen_jax.data.source import Source
from gen_jax.models import vae
from gen_jax.models.hypers import values_of
from gen_jax.models.vae_body import vae_body
from gen_jax.nets import dcgan
from gen_jax.objectives import likelihoods
from gen_jax.objectives.likelihoods import Binarization
from gen_jax.objectives.rate import Rate, linear_warmup


@dataclass(frozen=True)
class Hyper(vae.Hyper):
    beta: float | None = None
    """weight of the KL, where there is no capacity; None: 4"""
    gamma: NonNegative | None = None
    """weight of |KL - C|, where there is a capacity; None: 30 (the paper: 1,000)"""


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    binarization: Binarization = Binarization.DYNAMIC
    capacity: NonNegative | None = None
    """nats that the KL is led to; None: beta weighs it"""
    capacity_steps: Whole = 1000
    latent_size: Size = 10
    width: Size = 32
    """channels of the widest image's layer; deeper layers double it"""
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    dtype = config.dtype
    if config.capacity is None:
        rate, default = Rate(), {"beta": 4.0}
    else:
        rate = Rate(capacity=linear_warmup(config.capacity_steps, end=config.capacity))
        default = {"gamma": 30.0}
    body = vae_body(
        dcgan.Encoder(config.latent_size, width=config.width, dtype=dtype),
        dcgan.Decoder(data.shape, width=config.width, bias_init=constant(mean_logit(data)), dtype=dtype),
        likelihood=likelihoods.bernoulli(),
        binarization=config.binarization,
        shape=data.shape,
        rate=rate,
        hyper=default | values_of(config.hyper),
    )
    return vae.vae(body)


if __name__ == "__main__":
    experiment.main(Config, build)
