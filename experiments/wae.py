"""Wasserstein autoencoder with MMD penalty (Tolstikhin et al. 2018, arXiv:1711.01558): deterministic codes.

python experiments/wae.py
python experiments/wae.py --hyper.mmd 2000

Size of the code, Adam (β₁ .5) and the weight of the MMD are those of the authors' MNIST configuration: 10 against .05
times the squared error of pixels in [0, 1] is 10,000 against ours. Its batch is 100.

Expect sharp reconstructions, and samples that improve as the MMD falls; the default run takes about 2 CPU minutes.
"""

from dataclasses import dataclass

from gen_jax import experiment
from gen_jax.core.domains import NonNegative, Positive, Share, Size
from gen_jax.core.types import Algorithm
from gen_jax.data.source import Source
from gen_jax.models import vae_regularizers
from gen_jax.models.autoencoder import autoencoder
from gen_jax.nets import dcgan
from gen_jax.objectives import likelihoods


@dataclass(frozen=True)
class Hyper:
    lr: NonNegative = 1e-3
    b1: Share = 0.5
    b2: Share = 0.999
    mmd: NonNegative = 10_000.0
    """weight of MMD², against a squared error over 2 sigma² an image"""
    ema_decay: Share = 0.99


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    sigma: Positive = 0.2
    """standard deviation of the gaussian likelihood, in units of the [-1, 1] image"""
    latent_size: Size = 8
    width: Size = 32
    """channels of the widest image's layer; deeper layers double it"""
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    dtype = config.dtype
    return autoencoder(
        dcgan.Encoder(config.latent_size, width=config.width, dtype=dtype),
        dcgan.Decoder(data.shape, width=config.width, bounded=True, dtype=dtype),
        likelihood=likelihoods.gaussian(config.sigma),
        shape=data.shape,
        latent_size=config.latent_size,
        regularizers=(vae_regularizers.mmd(),),
        hyper=config.hyper,
    )


if __name__ == "__main__":
    experiment.main(Config, build)
