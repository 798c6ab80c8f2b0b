"""k samples of each example as rows of one batch, [k, B, ...] <-> [B·k, ...]: networks see rows alone."""

import jax
import jax.numpy as jnp

from gen_jax.core.types import Array, Tree


def repeat(values: Tree, samples: int) -> Tree:
    """Leaves [B, ...] -> [B·k, ...], each example's copies side by side, so that shards stay contiguous."""
    return jax.tree.map(lambda v: jnp.repeat(v, samples, axis=0), values)


def fold(values: Array) -> Array:
    """[k, B, ...] -> [B·k, ...], in the order of `repeat`."""
    return jnp.swapaxes(values, 0, 1).reshape(-1, *values.shape[2:])


def unfold(values: Array, samples: int) -> Array:
    """[B·k, ...] -> [k, B, ...]."""
    return jnp.swapaxes(values.reshape(-1, samples, *values.shape[1:]), 0, 1)
