"""StyleGAN2: styles that modulate convolutions, lazy R1 and path lengths (Karras et al. 2020, arXiv:1912.04958), ADA
(arXiv:2006.06676), written from the papers.

    python experiments/stylegan2.py                                              # mnist5k, 28×28, narrow
    python experiments/stylegan2.py --data tfds:cifar10 --conditional --widths 512 512 512 512 --style 512 \\
        --no-residual --stddev-group 32 --hyper.r1-gamma 0.01 --ada              # the small-image configuration
    python experiments/stylegan2.py --data folder:ffhq --widths 512 512 512 512 512 256 128 64 32 --style 512 \\
        --depth 8 --mixing 0.9 --batch-size 32 --hyper.lr 0.002 --hyper.r1-gamma 10 --hyper.path-length 2   # config F
    python -m gen_jax evaluate RUN --metrics fd --sampler truncated:0.5          # styles half-way to the mean

The second has the published 20,215,315 and 23,089,664 parameters; StudioGAN reports FID 3.88 without ADA and 2.32 with
it, after 170,000 and 970,000 steps: it wants an accelerator. R1 and path lengths join the loss when they are due, times
their interval, where the authors give them optimizer steps of their own.

Expect digits by the end of the default run, which takes tens of CPU minutes.
"""

from dataclasses import dataclass
from typing import Annotated

from gen_jax import experiment
from gen_jax.core.domains import Count, Depth, Interval, NonNegative, Probability, Share, Size
from gen_jax.core.errors import UserError
from gen_jax.core.players import adam
from gen_jax.core.types import LABEL, Algorithm
from gen_jax.data.source import Source
from gen_jax.models import gan, gan_terms, styles
from gen_jax.models.gan_parts import normal_latents
from gen_jax.nets import stylegan2
from gen_jax.objectives import adversarial


@dataclass(frozen=True, kw_only=True)
class Hyper:
    lr: NonNegative = 0.0025
    """of both players"""
    b1: Share = 0.0
    b2: Share = 0.99
    ema_decay: Share = 0.999
    """of the generator's average, which samples come from"""
    r1_gamma: NonNegative = 1.0
    """of lazy R1: the loss has gamma / 2 times it"""
    path_length: NonNegative | None = None
    """weight of the path-length penalty, 2 as published; by default there is none"""


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    widths: tuple[Size, ...] = (64, 64, 32)
    """channels of each size, coarsest first: three make 28 pixels from 7×7, four make 32 from 4×4"""
    style: Size = 64
    """numbers in a style, and in a latent; published: 512"""
    depth: Depth = 2
    """layers of the mapping; published: 2 for small images, else 8"""
    mixing: Probability = 0.0
    """share of training images that are made of two styles; published: 0.9, and 0 for small images"""
    residual: bool = True
    """blocks of the discriminator with a second way; published: without, for small images"""
    stddev_group: Annotated[int, Interval(1, 1_000_000)] = 4
    """rows that the discriminator compares; it divides the rows of each device"""
    r1_interval: Count = 16
    """rounds between two R1 penalties"""
    path_length_interval: Count = 4
    """rounds between two path-length penalties"""
    ada: bool = False
    """adaptive augmentation of what the discriminator sees"""
    ada_speed: Annotated[float, Interval(1, None)] = 500_000.0
    """images in which its probability can go from 0 to 1"""
    conditional: bool = False
    """use the labels"""
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    if config.conditional and data.classes is None:
        raise UserError(f"{data.name} has no labels: leave out --conditional")
    classes, given = (data.classes, LABEL) if config.conditional else (None, {})
    latents = normal_latents(config.style)
    generator = stylegan2.Generator(
        data.shape, config.widths, config.style, config.depth, classes, config.mixing, config.dtype
    )
    terms = [gan_terms.r1(interval=config.r1_interval)]
    if config.hyper.path_length is not None:
        terms.append(styles.path_length(generator, latents, tuple(given), config.path_length_interval))
    if config.ada:
        terms.append(gan_terms.adaptive_augment(speed=config.ada_speed))
    algorithm = gan.gan(
        generator,
        stylegan2.Discriminator(config.widths, classes, config.residual, config.stddev_group, config.dtype),
        loss=adversarial.non_saturating,
        shape=data.shape,
        latents=latents,
        given=given,
        terms=terms,
        optimizers={"generator": adam("lr"), "discriminator": adam("lr")},
        hyper=config.hyper,
    )
    return styles.with_truncation(algorithm, generator, latents, classes)


if __name__ == "__main__":
    experiment.main(Config, build)
