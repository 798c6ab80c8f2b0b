"""BiGAN (Donahue et al. 2017, arXiv:1605.09782), or with --stochastic ALI (Dumoulin et al. 2017).

python experiments/bigan.py

The authors' latents are uniform on [-1, 1], their batch 128, and their weights decay (L2, 2.5e-5); here they are N(0,
I), 64, and no decay. 50 latents and Adam at 2e-4 (.5, .999) are theirs.

Expect rough digits, and reconstructions that keep the kind of digit rather than its strokes; the default run takes
about 6 CPU minutes.
"""

from dataclasses import dataclass

from gen_jax import experiment
from gen_jax.core.domains import Size
from gen_jax.core.types import Algorithm
from gen_jax.data.source import Source
from gen_jax.models import gan
from gen_jax.models.bigan import bigan
from gen_jax.nets import dcgan, joint


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    stochastic: bool = False
    """ALI: the encoder is a Gaussian rather than a function"""
    latent_size: Size = 50
    width: Size = 32
    """channels of the widest image's layer; deeper layers double it"""
    hyper: gan.Hyper = gan.Hyper()


def build(config: Config, data: Source) -> Algorithm:
    return bigan(
        dcgan.Generator(data.shape, width=config.width, dtype=config.dtype),
        dcgan.Encoder(config.latent_size, width=config.width, dtype=config.dtype),
        joint.ConvDiscriminator(width=config.width, dtype=config.dtype),
        shape=data.shape,
        latent_size=config.latent_size,
        stochastic=config.stochastic,
        hyper=config.hyper,
    )


if __name__ == "__main__":
    experiment.main(Config, build)
