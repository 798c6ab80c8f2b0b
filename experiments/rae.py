"""Regularised autoencoder (Ghosh et al. 2020, arXiv:1903.12436) with a mixture of Gaussians fitted to its codes.

python experiments/rae.py                                   # RAE-GP: gradient penalty on the decoder
python experiments/rae.py --hyper.gradient-penalty 0        # the code's norm alone

Expect sharper reconstructions than a VAE's, and samples from a mixture that is fitted to the codes; the default run
takes about 1 CPU minute.
"""

from dataclasses import dataclass

from gen_jax import experiment
from gen_jax.core.domains import NonNegative, Positive, Share, Size
from gen_jax.core.types import Algorithm
from gen_jax.data.source import Source
from gen_jax.models import vae_regularizers
from gen_jax.models.autoencoder import autoencoder
from gen_jax.nets import mlp
from gen_jax.objectives import likelihoods, priors


@dataclass(frozen=True)
class Hyper:
    lr: NonNegative = 1e-3
    b1: Share = 0.9
    b2: Share = 0.999
    lr_density: NonNegative = 1e-2
    latent_l2: NonNegative = 0.1
    gradient_penalty: NonNegative = 0.01
    ema_decay: Share = 0.99


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    sigma: Positive = 0.2
    """standard deviation of the gaussian likelihood, in units of the [-1, 1] image"""
    components: Size = 10
    """Gaussians in the density of codes, as in the paper"""
    latent_size: Size = 16
    width: Size = 512
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    dtype = config.dtype
    return autoencoder(
        # No batch normalisation: the gradient penalty needs a decoder that treats examples apart.
        mlp.Encoder(config.latent_size, widths=(config.width, config.width), dtype=dtype),
        mlp.Decoder(data.shape, widths=(config.width, config.width), bounded=True, dtype=dtype),
        likelihood=likelihoods.gaussian(config.sigma),
        shape=data.shape,
        latent_size=config.latent_size,
        regularizers=(vae_regularizers.latent_l2(), vae_regularizers.gradient_penalty()),
        density=priors.gaussian_mixture(config.latent_size, config.components, spread=2.0),
        hyper=config.hyper,
    )


if __name__ == "__main__":
    experiment.main(Config, build)
