"""Importance-weighted autoencoder, one stochastic layer, the authors' settings (Burda et al. 2016, arXiv:1509.00519).

784-200-200-50 tanh, batch 20, Adam (β₁ .99, ε 1e-4), stage i = 0..7 of 3^i epochs at 1e-3 · 10^(-i/7). On all of MNIST
the paper reports NLL (k = 5000) of 86.76, 85.54 and 84.78 nats for k = 1, 5 and 50. Their code adds up the gradients
of a batch, which are averaged here, so that its ε is 1e-4 / 20 here. Two things differ: its Adam starts the second
moment at 1, here it is 0; its encoder gives log σ, here log σ². β₁ .99 is the code's, not the paper's.

python experiments/iwae.py --samples 50
python experiments/iwae.py --samples 50 --estimator dreg
python experiments/iwae.py --bound PIWAE --samples 64 --groups 8

Expect, on mnist5k, an NLL of 120.6, 115.9 and 113.7 nats for k = 1, 5 and 50 (experiments/papers/iwae_k.py); the
default run takes about 1 CPU minute.
"""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import optax

from gen_jax import experiment
from gen_jax.core.domains import Probability, Size
from gen_jax.core.types import Algorithm
from gen_jax.core.types import Hyper as Values
from gen_jax.data import source
from gen_jax.data.source import Source
from gen_jax.models import vae
from gen_jax.models.vae_body import vae_body
from gen_jax.nets import mlp
from gen_jax.objectives import likelihoods
from gen_jax.objectives.bounds import Bound, Estimate, Estimator
from gen_jax.objectives.likelihoods import Binarization

SUMMED_EPS = 1e-4  # Adam's, of gradients that are added up over a batch


@dataclass(frozen=True)
class Hyper(vae.Hyper):
    lr: float = 1e-3
    """of the first stage"""
    b1: float = 0.99
    ema_decay: float | None = None
    elbo_weight: Probability | None = None
    """share of the ELBO in the CIWAE; None: a half"""


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    batch_size: int = 20
    steps: int = 8000
    """rounds to train in all; the paper's eight stages are 3,280 epochs"""
    samples: Size = 5
    """k, the importance samples of each example"""
    bound: Bound = Bound.IWAE
    estimator: Estimator = Estimator.REPARAMETERISED
    groups: Size = 1
    """of the samples, for MIWAE and PIWAE"""
    binarization: Binarization = Binarization.DYNAMIC
    latent_size: Size = 50
    width: Size = 200
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    epoch, dtype = data.train.size // config.batch_size, config.dtype
    ends = np.cumsum([epoch * 3**stage for stage in range(7)]).tolist()

    def adam(hyper: Values) -> optax.GradientTransformation:
        rate = optax.piecewise_constant_schedule(1.0, dict.fromkeys(ends, 10 ** (-1 / 7)))
        eps = SUMMED_EPS / config.batch_size
        return optax.adam(lambda step: hyper["lr"] * rate(step), b1=hyper["b1"], b2=hyper["b2"], eps=eps)

    bright = np.clip(source.whole(data.train)["x"].mean(axis=0).ravel() / 255.0, 0.001, 0.999)
    logits = jnp.asarray(np.log(bright / (1.0 - bright)), jnp.float32)
    widths = (config.width, config.width)
    body = vae_body(
        mlp.Encoder(config.latent_size, widths=widths, dtype=dtype),
        mlp.Decoder(data.shape, widths=widths, bias_init=lambda *_: logits, dtype=dtype),
        likelihood=likelihoods.bernoulli(),
        binarization=config.binarization,
        shape=data.shape,
        estimate=Estimate(config.bound, config.estimator, config.samples, config.groups),
        optimizer=adam,
        hyper=config.hyper,
    )
    return vae.vae(body)


if __name__ == "__main__":
    experiment.main(Config, build)
