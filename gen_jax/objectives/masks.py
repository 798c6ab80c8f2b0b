"""Masks of images for models that complete them: 1 where a cell is observed, 0 where it is hidden. [B, H, W, 1]."""

import jax
import jax.numpy as jnp

from gen_jax.core import keys

KINDS = ("scattered", "half", "quarter", "square", "everything")


def family(key: jax.Array, count: int, height: int, width: int) -> jax.Array:
    """A mask an example, of a kind drawn evenly from KINDS: each cell hidden with a chance drawn from 20 to 90 %; one
    half hidden; one quarter observed alone or hidden alone; a square of a quarter to three quarters of the side hidden;
    everything hidden. float32 [count, H, W, 1], whatever the layout.
    """
    return keys.draw(keys.named(key, "mask"), count, lambda own: _one(own, height, width))


def _one(key: jax.Array, height: int, width: int) -> jax.Array:
    rows, columns = jnp.arange(height)[:, None], jnp.arange(width)[None, :]
    chosen, chance, side, top, left, flags = jax.random.split(key, 6)
    first, second, inverted = jax.random.bernoulli(flags, 0.5, (3,))
    share = jax.random.uniform(chance, (), minval=0.2, maxval=0.9)
    scattered = jax.random.uniform(jax.random.fold_in(chance, 1), (height, width)) >= share
    upper, left_half = (rows < height // 2) ^ first, (columns < width // 2) ^ second
    half = jnp.broadcast_to(jnp.where(inverted, upper, left_half), (height, width))
    quarter = (upper & left_half) ^ inverted
    smaller = min(height, width)
    size = jax.random.randint(side, (), max(smaller // 4, 1), max(3 * smaller // 4, 1) + 1)
    row = jax.random.randint(top, (), 0, height - size + 1)
    column = jax.random.randint(left, (), 0, width - size + 1)
    inside = (rows >= row) & (rows < row + size) & (columns >= column) & (columns < column + size)
    kinds = jnp.stack([scattered, half, quarter, ~inside, jnp.zeros_like(inside)])
    kind = jax.random.randint(chosen, (), 0, len(KINDS))
    return kinds[kind].astype(jnp.float32)[..., None]
