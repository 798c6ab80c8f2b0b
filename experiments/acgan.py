"""AC-GAN: a discriminator that also classifies (Odena et al. 2017, arXiv:1610.09585).

    python experiments/acgan.py                               # mnist5k, 28x28
    python -m gen_jax sample runs/acgan-mnist5k-seed0 --label 3

The generator is told the label; the discriminator, which is not, has to find it out of real and fake images. The label
joins 100 latents as a one-hot code; the authors multiply 110 by its embedding.

Expect recognisable digits of the class asked for after about 1,500 steps; the default run takes about 3 CPU minutes.
"""

from dataclasses import dataclass

from gen_jax import experiment
from gen_jax.core.domains import NonNegative, Share, Size
from gen_jax.core.types import LABEL, Algorithm
from gen_jax.data.source import Source
from gen_jax.models import gan
from gen_jax.models.gan_checks import need_labels
from gen_jax.models.gan_heads import acgan_head
from gen_jax.models.gan_parts import normal_latents
from gen_jax.nets import dcgan
from gen_jax.nets.heads import WithHead
from gen_jax.objectives import adversarial


@dataclass(frozen=True, kw_only=True)
class Hyper(gan.Hyper):
    classification: NonNegative = 1.0
    """weight of the class beside real or fake"""


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    latent_size: Size = 100
    width: Size = 32
    """channels of the widest image's layer; deeper layers double it"""
    dropout: Share = 0.5
    """in the discriminator (the paper's)"""
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    classes = need_labels(data.classes, "acgan", data.name)
    discriminator = dcgan.Discriminator(width=config.width, dropout=config.dropout, dtype=config.dtype)
    return gan.gan(
        dcgan.Generator(data.shape, width=config.width, classes=classes, dtype=config.dtype),
        WithHead(discriminator, classes, dtype=config.dtype),
        loss=adversarial.non_saturating,
        shape=data.shape,
        latents=normal_latents(config.latent_size),
        given=LABEL,
        terms=(acgan_head(),),
        hyper=config.hyper,
    )


if __name__ == "__main__":
    experiment.main(Config, build)
