"""A VAE of pixels whose decoder takes an adversarial step after each step of the bound (after Larsen et al. 2016).

python experiments/refined_vae.py --hyper.adversarial 10

Expect a VAE's digits with harder edges; the default run takes about 3 CPU minutes.
"""

from dataclasses import dataclass

from gen_jax import experiment
from gen_jax.core.domains import NonNegative, Positive, Size
from gen_jax.core.types import Algorithm
from gen_jax.data.source import Source
from gen_jax.models import vae
from gen_jax.models.refined_vae import refined_vae
from gen_jax.models.vae_body import vae_body
from gen_jax.nets import dcgan
from gen_jax.objectives import likelihoods


@dataclass(frozen=True)
class Hyper(vae.Hyper):
    lr_discriminator: NonNegative = 2e-4
    adversarial: NonNegative = 10.0
    """weight of the game in the decoder's second step"""


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    sigma: Positive = 0.2
    """standard deviation of the gaussian likelihood, in units of the [-1, 1] image"""
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
    return refined_vae(body, discriminator)


if __name__ == "__main__":
    experiment.main(Config, build)
