"""Binarising grey images in [-1, 1] to {-1, 1}, three ways that give different published numbers.

Dynamic binarisation (IWAE, Burda et al. 2016) and a fixed draw (Larochelle & Murray 2011) differ by one to three nats
on MNIST, so a result has to name its own. All are elementwise or keyed per example, so none depends on the layout.
"""

import jax
import jax.numpy as jnp

from gen_jax.core import keys
from gen_jax.core.types import Batch
from gen_jax.objectives.likelihoods import Binarization, unit


def binarize_dynamic(image: jax.Array, key: jax.Array) -> jax.Array:
    """Each pixel is 1 with probability (x+1)/2, else -1; a new draw for every key. [B, ...] -> [B, ...]."""
    flat = image.reshape(image.shape[0], -1)  # the innermost axis is the one that a CPU vectorises
    uniforms = keys.uniform(keys.named(key, "binarize"), *flat.shape)
    return jnp.where(uniforms < unit(flat), 1.0, -1.0).reshape(image.shape)


def binarize_threshold(image: jax.Array, threshold: float = 0.0) -> jax.Array:
    """1 where the pixel is above `threshold` (in the image's own units), else -1."""
    return jnp.where(image > threshold, 1.0, -1.0)


def binarize_fixed(image: jax.Array, seed: int = 0) -> jax.Array:
    """One draw for each image for all time: a function of (seed, the image's 8-bit content) alone. [B, ...].

    The key of an image is a hash of its own levels, so no index has to travel with it and every epoch, layout and
    split sees the same binary image. Two identical images binarise alike.
    """
    levels = jnp.round(unit(image) * 255.0).astype(jnp.uint32).reshape(image.shape[0], -1)
    multipliers = jax.random.bits(jax.random.key(seed), (levels.shape[1], 2), jnp.uint32) | jnp.uint32(1)
    digest = levels @ multipliers  # uint32 arithmetic wraps: a multiply-add hash of 64 bits, [B, 2]
    root = keys.named(jax.random.key(seed), "binarize")

    def draw(words: jax.Array, probability: jax.Array) -> jax.Array:
        key = jax.random.fold_in(jax.random.fold_in(root, words[0]), words[1])
        return jnp.where(jax.random.uniform(key, probability.shape) < probability, 1.0, -1.0)

    return jax.vmap(draw)(digest, unit(image))


def binarize(image: jax.Array, key: jax.Array, how: Binarization, seed: int = 0) -> jax.Array:
    """The image as `how` says: unchanged, or in {-1, 1}. `key` matters to DYNAMIC alone, `seed` to FIXED alone."""
    return {
        Binarization.NONE: lambda: image,
        Binarization.DYNAMIC: lambda: binarize_dynamic(image, key),
        Binarization.THRESHOLD: lambda: binarize_threshold(image),
        Binarization.FIXED: lambda: binarize_fixed(image, seed),
    }[how]()


def observed(batch: Batch, key: jax.Array | None, how: Binarization) -> jax.Array:
    """batch["x"] as the model sees it. Without a key (encoding), grey pixels stand for dynamic binarisation's mean."""
    if key is None:
        return batch["x"] if how is Binarization.DYNAMIC else binarize(batch["x"], jax.random.key(0), how)
    return binarize(batch["x"], key, how)
