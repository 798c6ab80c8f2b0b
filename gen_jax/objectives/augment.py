"""DiffAugment (Zhao et al. 2020): differentiable augmentation of everything the discriminator sees, real and fake.

Apply it in both players' phases, so that the gradient reaches the generator through it. One stream of randomness an
example, so results do not depend on the layout. Images are float [B, H, W, C] in [-1, 1], any C; moved and cut pixels
become 0 (mid grey), as in the authors' code.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from gen_jax.core import keys
from gen_jax.core.errors import UserError


class Policy(NamedTuple):
    """Which augmentations are on; the paper's "color,translation,cutout"."""

    color: bool = True
    translation: bool = True
    cutout: bool = True


EVERYTHING = Policy()


def diff_augment(images: jax.Array, key: jax.Array, policy: Policy = EVERYTHING) -> jax.Array:
    """Augment each image [B, H, W, C] by its own draw: brightness, saturation, contrast, shift, one cut-out square."""
    need_images(images)
    count, height, width, _ = images.shape

    def unit(purpose: str) -> jax.Array:
        return keys.uniform(keys.named(key, purpose), count).astype(images.dtype)

    def integer(purpose: str, low: int, high: int) -> jax.Array:
        return keys.draw(keys.named(key, purpose), count, lambda k: jax.random.randint(k, (), low, high))

    if policy.color:
        images = brightness(images, unit("brightness") - 0.5)
        images = saturation(images, 2.0 * unit("saturation"))
        images = contrast(images, 0.5 + unit("contrast"))
    if policy.translation:
        down, right = int(height / 8 + 0.5), int(width / 8 + 0.5)
        images = translate(images, integer("down", -down, down + 1), integer("right", -right, right + 1))
    if policy.cutout:
        size = int(height / 2 + 0.5), int(width / 2 + 0.5)
        row = integer("cut_row", 0, height + 1 - size[0] % 2)
        column = integer("cut_column", 0, width + 1 - size[1] % 2)
        images = cut_out(images, row, column, size)
    return images


def need_images(images: jax.Array) -> None:
    """Raises UserError for what is no batch of images."""
    if images.ndim != 4:
        raise UserError(f"augmentation needs images [batch, height, width, channels]: got shape {images.shape}")


def brightness(images: jax.Array, amount: jax.Array) -> jax.Array:
    """Add `amount` [B] to every channel; the paper draws U(-.5, .5)."""
    return images + _per_image(amount)


def saturation(images: jax.Array, factor: jax.Array) -> jax.Array:
    """Scale each pixel's distance from its channel mean by `factor` [B]; U(0, 2). The identity for one channel."""
    mean = jnp.mean(images, axis=-1, keepdims=True)
    return mean + _per_image(factor) * (images - mean)


def contrast(images: jax.Array, factor: jax.Array) -> jax.Array:
    """Scale each pixel's distance from the image's mean by `factor` [B]; U(.5, 1.5)."""
    mean = jnp.mean(images, axis=(1, 2, 3), keepdims=True)
    return mean + _per_image(factor) * (images - mean)


def translate(images: jax.Array, down: jax.Array, right: jax.Array) -> jax.Array:
    """Shift by whole pixels, int [B] each, filling with 0; the paper draws up to an eighth of the side either way."""
    height, width = images.shape[1:3]
    padded = jnp.pad(images, ((0, 0), (height, height), (width, width), (0, 0)))

    def one(image: jax.Array, down: jax.Array, right: jax.Array) -> jax.Array:
        return lax.dynamic_slice(image, (height - down, width - right, 0), (height, width, image.shape[-1]))

    return jax.vmap(one)(padded, down, right)


def cut_out(images: jax.Array, row: jax.Array, column: jax.Array, size: tuple[int, int]) -> jax.Array:
    """Zero a rectangle of `size` (height, width) about (row, column), int [B] each; what falls outside is lost."""

    def outside(centre: jax.Array, length: int, extent: int) -> jax.Array:
        first = (centre - extent // 2)[:, None]
        position = jnp.arange(length)
        return (position < first) | (position >= first + extent)  # [B, length]

    rows = outside(row, images.shape[1], size[0])
    columns = outside(column, images.shape[2], size[1])
    kept = rows[:, :, None] | columns[:, None, :]
    return images * kept[..., None].astype(images.dtype)


def _per_image(values: jax.Array) -> jax.Array:
    return values[:, None, None, None]
