"""Contract rows of what is no plain GAN or VAE: flow matching, style-based networks, paired images, sound."""

from collections.abc import Callable

import jax
from flax import linen as nn

from gen_jax.core.types import LABEL, Algorithm
from gen_jax.models import gan_terms, styles
from gen_jax.models.flow_matching import flow_matching
from gen_jax.models.gan import gan
from gen_jax.models.gan_parts import normal_latents
from gen_jax.models.paired import paired
from gen_jax.nets import stylegan2, wavegan
from gen_jax.nets.patch import PatchDiscriminator
from gen_jax.nets.unet import UNet
from gen_jax.objectives import adversarial

SHAPE, CLASSES = (8, 8, 1), 10


def _flow_matching(optimizer: Callable) -> Algorithm:
    hyper = {"lr": 0.05, "b1": 0.9, "b2": 0.999, "ema_decay": 0.9}
    network = UNet(1, 4, (1, 2), classes=CLASSES, dropout=0.2)
    return flow_matching(network, shape=SHAPE, given=LABEL, hyper=hyper, optimizer=optimizer("lr"))


def _stylegan2(optimizer: Callable) -> Algorithm:
    latents = normal_latents(4)
    generator = stylegan2.Generator(SHAPE, (4, 4), style=4, depth=1, mixing=0.5)
    algorithm = gan(
        generator,
        stylegan2.Discriminator((4, 4), group=2),
        loss=adversarial.non_saturating,
        shape=SHAPE,
        latents=latents,
        terms=(gan_terms.r1(interval=2), styles.path_length(generator, latents, interval=2)),
        optimizers={"generator": optimizer("lr_generator"), "discriminator": optimizer("lr_discriminator")},
        hyper={"lr_generator": 0.01, "lr_discriminator": 0.01, "b1": 0.5, "b2": 0.999, "ema_decay": 0.9,
               "r1_gamma": 1.0, "path_length": 2.0},
    )  # fmt: skip
    return styles.with_truncation(algorithm, generator, latents)


def _paired(optimizer: Callable) -> Algorithm:
    return paired(
        UNet(1, 4, (1,), dropout=0.2, skip=True),
        PatchDiscriminator(2, 1),
        loss=adversarial.non_saturating,
        shape=SHAPE,
        input_shape=(4, 4, 1),
        optimizers={"generator": optimizer("lr_generator"), "discriminator": optimizer("lr_discriminator")},
        hyper={"lr_generator": 0.01, "lr_discriminator": 0.01, "b1": 0.5, "b2": 0.999, "ema_decay": 0.9, "l1": 1.0},
    )


class _Sound(nn.Module):
    """A network of sounds of 64 samples, on images of as many pixels."""

    inner: nn.Module
    shape: tuple[int, ...]

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        flat = self.inner(x.reshape(x.shape[0], -1), train=train)
        return flat.reshape(x.shape[0], *self.shape)


def _wavegan(optimizer: Callable) -> Algorithm:
    return gan(
        _Sound(wavegan.Generator(64, 2), SHAPE),
        _Sound(wavegan.Discriminator(2), ()),
        loss=adversarial.wasserstein,
        shape=SHAPE,
        latents=normal_latents(4),
        terms=(gan_terms.gradient_penalty(),),
        optimizers={"generator": optimizer("lr_generator"), "discriminator": optimizer("lr_discriminator")},
        hyper={"lr_generator": 0.01, "lr_discriminator": 0.01, "b1": 0.5, "b2": 0.999, "gradient_penalty": 10.0},
    )


ROWS = [
    ("flow_matching", _flow_matching),
    ("stylegan2", _stylegan2),
    ("paired", _paired),
    ("wavegan", _wavegan),
]
