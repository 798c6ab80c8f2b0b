"""Adversarial autoencoder (Makhzani et al. 2016, arXiv:1511.05644), which is also the WAE-GAN.

python experiments/aae.py

Size of the code and the two Adams are those of the WAE-GAN in its authors' MNIST configuration (batch 100). There the
game weighs 10 against .05 times the squared error of pixels in [0, 1], here against 50 times it (sigma .2).

Expect reconstructions within some hundred steps, and samples that follow as codes fill the prior; the default run
takes about 2 CPU minutes.
"""

from dataclasses import dataclass

from gen_jax import experiment
from gen_jax.core.domains import NonNegative, Positive, Share, Size
from gen_jax.core.types import Algorithm
from gen_jax.data.source import Source
from gen_jax.models.aae import aae
from gen_jax.models.vae_body import vae_body
from gen_jax.nets import dcgan, mlp
from gen_jax.objectives import likelihoods


@dataclass(frozen=True)
class Hyper:
    lr: NonNegative = 1e-3
    b1: Share = 0.5
    b2: Share = 0.999
    lr_discriminator: NonNegative = 5e-4
    b1_discriminator: Share = 0.5
    adversarial: NonNegative = 10.0
    """weight of the game in the encoder's second step"""
    ema_decay: Share = 0.99


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    sigma: Positive = 0.2
    """standard deviation of the gaussian likelihood, in units of the [-1, 1] image"""
    stochastic: bool = False
    """codes are draws of q(z|x) in place of its mean"""
    discriminator_width: Size = 512
    latent_size: Size = 8
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
    discriminator = mlp.Discriminator(widths=(config.discriminator_width,) * 2, dtype=dtype)
    return aae(body, discriminator, stochastic=config.stochastic)


if __name__ == "__main__":
    experiment.main(Config, build)
