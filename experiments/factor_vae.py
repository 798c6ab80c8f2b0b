"""FactorVAE (Kim & Mnih 2018, arXiv:1802.05983): total correlation from a discriminator of shuffled codes.

python experiments/factor_vae.py --hyper.total-correlation 10

The discriminator's Adam is that of disentanglement_lib (1e-4, .5, .9). Its VAE has 1e-4 over 300,000 steps, where ours
has 1e-3 over a few thousand (--hyper.lr), and its discriminator 6 layers of 1,000 units.

Expect a VAE's digits, and a total correlation that the weight brings down; the default run takes about 2 CPU minutes.
"""

from dataclasses import dataclass

from flax.linen.initializers import constant

from gen_jax import experiment
from gen_jax.core.domains import Depth, NonNegative, Share, Size
from gen_jax.core.types import Algorithm
from gen_jax.data.brightness import mean_logit
from gen_jax.data.source import Source
from gen_jax.models import vae
from gen_jax.models.factor_vae import factor_vae
from gen_jax.models.vae_body import vae_body
from gen_jax.nets import dcgan, mlp
from gen_jax.objectives import likelihoods
from gen_jax.objectives.likelihoods import Binarization


@dataclass(frozen=True)
class Hyper(vae.Hyper):
    total_correlation: NonNegative = 10.0
    """the paper's gamma"""
    lr_discriminator: NonNegative = 1e-4
    b1_discriminator: Share = 0.5
    b2_discriminator: Share = 0.9


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    binarization: Binarization = Binarization.DYNAMIC
    discriminator_width: Size = 256
    discriminator_depth: Depth = 4
    """hidden layers; the paper has 6 of 1,000"""
    latent_size: Size = 10
    width: Size = 32
    """channels of the widest image's layer; deeper layers double it"""
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    dtype = config.dtype
    body = vae_body(
        dcgan.Encoder(config.latent_size, width=config.width, dtype=dtype),
        dcgan.Decoder(data.shape, width=config.width, bias_init=constant(mean_logit(data)), dtype=dtype),
        likelihood=likelihoods.bernoulli(),
        binarization=config.binarization,
        shape=data.shape,
        hyper=config.hyper,
    )
    discriminator = mlp.Discriminator(widths=(config.discriminator_width,) * config.discriminator_depth, dtype=dtype)
    return factor_vae(body, discriminator)


if __name__ == "__main__":
    experiment.main(Config, build)
