"""SAGAN: self-attention, spectral normalisation in both players, two learning rates (Zhang et al. 2019).

    python experiments/sagan.py                                             # mnist5k, 28x28, narrow, conditional
    python experiments/sagan.py --data tfds:cifar10 --width 256 --critic-width 128 --attention 2 \\
        --critic-attention 1 --n-critic 5 --hyper.lr-generator 2e-4 --hyper.lr-discriminator 2e-4 \\
        --hyper.b1 .5 --hyper.b2 .999 --steps 100000                        # StudioGAN's CIFAR-10: 4.39 M and 1.08 M
    python experiments/sagan.py --data folder:PATH --image-size 128 --width 1024 --critic-width 1024 --attention 3 \\
        --critic-attention 2 --steps 1000000                                # the paper's size

The defaults are the paper's: 1e-4 and 4e-4, (0, .9), one discriminator step a round. The second has StudioGAN's widths
and optimizers; StudioGAN besides flips its images, starts orthogonal, upsamples to the nearest pixel (bilinear here)
and has Adam's epsilon at 1e-6 and BatchNorm's at 1e-4. The published networks want an accelerator.

Expect digits of the class asked for by the end of the default run; the default run takes about 15 CPU minutes.
"""

from dataclasses import dataclass

from gen_jax import experiment
from gen_jax.core.domains import Depth, NonNegative, Share, Size, Turns
from gen_jax.core.errors import UserError
from gen_jax.core.types import LABEL, Algorithm
from gen_jax.data.source import Source
from gen_jax.models import gan
from gen_jax.models.gan_parts import normal_latents
from gen_jax.nets import sngan
from gen_jax.objectives.adversarial import Loss


@dataclass(frozen=True)
class Hyper:
    lr_generator: NonNegative = 1e-4
    lr_discriminator: NonNegative = 4e-4
    b1: Share = 0.0
    b2: Share = 0.9


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    loss: Loss = Loss.hinge
    latent_size: Size = 128
    width: Size = 32
    """the generator's channels; published: 256 to 32 pixels, 1024 (of the widest map) above"""
    critic_width: Size = 32
    """the discriminator's channels; published: 128 to 32 pixels, 1024 above"""
    attention: Depth = 1
    """after which block of the generator; 1 of two is the 14×14 map of a 28×28 image"""
    critic_attention: Depth = 1
    """after which block of the discriminator"""
    conditional: bool = True
    """use the labels, by conditional batch normalisation and projection"""
    n_critic: Turns = 1
    """discriminator steps a round"""
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    if config.conditional and data.classes is None:
        raise UserError(f"{data.name} has no labels: add --no-conditional")
    classes = data.classes if config.conditional else None
    return gan.gan(
        sngan.Generator(data.shape, config.width, classes, config.attention, spectral=True, dtype=config.dtype),
        sngan.Discriminator(config.critic_width, classes, config.critic_attention, dtype=config.dtype),
        loss=config.loss.value,
        shape=data.shape,
        latents=normal_latents(config.latent_size),
        given=LABEL if config.conditional else {},
        turns=gan.Turns(n_critic=config.n_critic),
        hyper=config.hyper,
    )


if __name__ == "__main__":
    experiment.main(Config, build)
