"""VAE-GAN (Larsen et al. 2016, arXiv:1512.09300): reconstructions judged in a discriminator's features.

python experiments/vae_gan.py

Departures from the paper: its game adds the losses of both kinds of fakes to one of the real images, here the two
kinds share that weight, a half each; its similarity is that of the third convolution before normalisation (--layer 2,
after it, is the nearest); it trains by RMSprop, with a gamma of 1e-5 in the authors' code.

The decoder ends in tanh, as the paper's: without it the discriminator knows samples by a black that is only nearly
black (FD-LeNet of 1,000 samples of mnist after 400, 800 and 1,200 steps: 301, 170, 128; without 456, 293, 304).

Expect digits, some of them broken. The default run takes about 6 CPU minutes.
"""

from dataclasses import dataclass
from typing import Annotated

from gen_jax import experiment
from gen_jax.core.domains import Interval, NonNegative, Positive, Size
from gen_jax.core.types import Algorithm
from gen_jax.data.source import Source
from gen_jax.models import vae
from gen_jax.models.vae_body import vae_body
from gen_jax.models.vae_gan import vae_gan
from gen_jax.nets import dcgan
from gen_jax.objectives import likelihoods


@dataclass(frozen=True)
class Hyper(vae.Hyper):
    lr: float = 3e-4
    b1: float = 0.5
    lr_discriminator: NonNegative = 2e-4
    similarity: NonNegative = 1e-4
    """the paper's gamma: weight of the similarity against the game, in the decoder's loss"""


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    sigma: Positive = 0.2
    """standard deviation of the gaussian likelihood, in units of the [-1, 1] image"""
    layer: Annotated[int, Interval(-100, 100)] = -1
    """hidden layer of the discriminator that measures similarity, counted from the first"""
    latent_size: Size = 16
    width: Size = 32
    """channels of the widest image's layer; deeper layers double it"""
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    dtype = config.dtype
    body = vae_body(
        dcgan.Encoder(config.latent_size, width=config.width, dtype=dtype),
        dcgan.Decoder(data.shape, width=config.width, bounded=True, dtype=dtype),
        likelihood=likelihoods.gaussian(config.sigma),
        shape=data.shape,
        hyper=config.hyper,
    )
    discriminator = dcgan.Discriminator(width=config.width, dtype=dtype)
    return vae_gan(body, discriminator, layer=config.layer)


if __name__ == "__main__":
    experiment.main(Config, build)
