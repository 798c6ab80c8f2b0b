"""AC-GAN: a discriminator that also classifies (Odena et al. 2017, arXiv:1610.09585).

    python experiments/acgan.py                               # mnist5k, 28x28
    python -m gen_jax sample runs/acgan-mnist5k-seed0 --label 3

The generator is told the label; the discriminator, which is not, has to find it out of real and fake images.
"""

from dataclasses import asdict, dataclass, field

import jax.numpy as jnp

from gen_jax import experiment
from gen_jax.core.types import Algorithm
from gen_jax.models.gan import gan, need_labels
from gen_jax.models.gan_heads import acgan_head
from gen_jax.nets import dcgan
from gen_jax.nets.heads import WithHead
from gen_jax.objectives import adversarial


@dataclass(frozen=True)
class Hyper:
    lr_generator: float = 2e-4
    lr_discriminator: float = 2e-4
    b1: float = 0.5
    b2: float = 0.999
    classification: float = 1.0
    """weight of the class beside real or fake"""
    ema_decay: float = 0.99


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    latent_size: int = 100
    width: int = 32
    """channels of the widest image's layer; deeper layers double it"""
    dropout: float = 0.5
    """in the discriminator (the paper's)"""
    hyper: Hyper = field(default_factory=Hyper)


def build(config: Config, data) -> Algorithm:
    classes, dtype = need_labels(data.classes, "acgan", data.name), jnp.dtype(config.precision)
    discriminator = dcgan.Discriminator(width=config.width, dropout=config.dropout, dtype=dtype)
    return gan(
        dcgan.Generator(data.shape, width=config.width, classes=classes, dtype=dtype),
        WithHead(discriminator, classes, dtype=dtype),
        loss=adversarial.non_saturating,
        shape=data.shape,
        latent_size=config.latent_size,
        classes=classes,
        auxiliary=acgan_head(),
        hyper=asdict(config.hyper),
    )


if __name__ == "__main__":
    experiment.main(Config, build)
