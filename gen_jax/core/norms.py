"""The Euclidean norm of a tree of arrays: by sums that a CPU can vectorise, by few programs on an accelerator."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

from gen_jax.core.types import Array, Tree

LANES = 256
SMALL = 1 << 16  # numbers up to which an array is summed with others, as one: its sum takes less time than its start


def euclidean(tree: Tree) -> Array:
    """The square root of the sum of squares of all numbers in `tree`, float32 for the usual trees."""
    leaves = jax.tree.leaves(tree)
    if len(leaves) < 2:
        return jnp.sqrt(one_by_one(leaves))
    return jnp.sqrt(lax.platform_dependent(leaves, cpu=one_by_one, default=joined))


def one_by_one(leaves: Sequence[Array]) -> Array:
    """The sum of squares of all arrays, a sum for each."""
    return sum(map(sum_of_squares, leaves), jnp.float32(0.0))


def joined(leaves: Sequence[Array]) -> Array:
    """The same with the small arrays laid end to end: a launch on an accelerator costs as much as thousands of sums."""
    small = [leaf.reshape(-1) for leaf in leaves if leaf.size <= SMALL]
    large = [leaf for leaf in leaves if leaf.size > SMALL]
    return one_by_one([*large, *([jnp.concatenate(small)] if small else [])])


def sum_of_squares(x: Array) -> Array:
    """The sum of squares of one array.

    XLA's CPU adds a whole array up one number after another, at a tenth of the memory's speed. Sums over all rows of
    a matrix go along its columns at once; the barrier keeps XLA from making one sum of the two.
    """
    flat = x.reshape(-1)
    rows = flat.size // LANES

    def by_columns(flat: Array) -> Array:
        whole = flat[: rows * LANES].reshape(rows, LANES)
        columns = lax.optimization_barrier(jnp.sum(whole * whole, axis=0))
        return jnp.sum(columns) + jnp.sum(flat[rows * LANES :] ** 2)

    def at_once(flat: Array) -> Array:
        return jnp.sum(flat * flat)

    return lax.platform_dependent(flat, cpu=by_columns, default=at_once) if rows > 4 else at_once(flat)
