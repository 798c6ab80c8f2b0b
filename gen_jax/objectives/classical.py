"""Classical augmentation of what a classifier learns from: images turned, scaled, shifted, and a square cut out.

What needs no generator, and what a generator has to beat. The square is that of Cutout (DeVries & Taylor 2017,
arXiv:1708.04552), whose side for CIFAR-10 is half the image's; it is smaller here, and rarer, for digits are thin.
"""

import jax
import jax.numpy as jnp

from gen_jax.core import keys
from gen_jax.objectives import augment
from gen_jax.objectives.jitter import jitter

SIDE, OFTEN = 4, 0.5  # the square's side is that of the image over SIDE; it is cut out of so many images


def classical(images: jax.Array, key: jax.Array) -> jax.Array:
    """[B, H, W, C] in [-1, 1] -> the same shape, each image by its own draw: `jitter`, then the square, in black.

    Raises UserError for what is no batch of images.
    """
    augment.need_images(images)
    count, height, width, _ = images.shape
    moved = jitter(images, keys.named(key, "moved"))

    def centre(purpose: str, size: int) -> jax.Array:
        return keys.draw(keys.named(key, purpose), count, lambda k: jax.random.randint(k, (), 0, size))

    size = max(1, round(height / SIDE)), max(1, round(width / SIDE))
    # `cut_out` leaves 0, which is grey; black is -1.
    cut = augment.cut_out(moved + 1.0, centre("row", height), centre("column", width), size) - 1.0
    chosen = keys.uniform(keys.named(key, "cut"), count) < OFTEN
    return jnp.where(chosen[:, None, None, None], cut, moved)
