"""Random keys are derived, never carried: root -> step -> phase -> purpose -> global example.

Deriving makes resuming trivial (there is no key stream to save) and makes noise independent of how a batch is laid
out: example i at step s gets the same latents on one device or on eight, under jit, pmap or shard_map.
"""

import zlib
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from gen_jax.core import axis, threefry


def named(key: jax.Array, purpose: str) -> jax.Array:
    """The key for a purpose ("latents", "dropout", a player's name): a stable hash of the name, folded in."""
    return jax.random.fold_in(key, zlib.crc32(purpose.encode()))


def per_example(key: jax.Array, count: int) -> jax.Array:
    """One key for each local example, folded from its position in the global batch: key array [count]."""
    return jax.vmap(lambda row: jax.random.fold_in(key, row))(axis.rows(count))


def draw(key: jax.Array, count: int, sampler: Callable[[jax.Array], jax.Array]) -> jax.Array:
    """`sampler(key)` for each local example, stacked: [count, ...]. The result does not depend on the layout."""
    return jax.vmap(sampler)(per_example(key, count))


def normal(key: jax.Array, count: int, *shape: int) -> jax.Array:
    """Standard normal noise [count, *shape], one independent stream an example."""
    if not threefry.available(key):
        return draw(key, count, lambda k: jax.random.normal(k, shape))
    lowest = np.nextafter(np.float32(-1.0), np.float32(0.0))
    unit = threefry.unit_floats(threefry.streams(key, axis.rows(count), *shape))
    symmetric = jnp.maximum(lowest, unit * (np.float32(1.0) - lowest) + lowest)
    return (np.float32(np.sqrt(2)) * jax.lax.erf_inv(symmetric)).reshape(count, *shape)


def uniform(key: jax.Array, count: int, *shape: int, minval: float = 0.0, maxval: float = 1.0) -> jax.Array:
    """Uniform noise on [minval, maxval), [count, *shape], one independent stream an example."""
    if not threefry.available(key):
        return draw(key, count, lambda k: jax.random.uniform(k, shape, minval=minval, maxval=maxval))
    low, high = jnp.float32(minval), jnp.float32(maxval)
    unit = threefry.unit_floats(threefry.streams(key, axis.rows(count), *shape))
    return jnp.maximum(low, unit * (high - low) + low).reshape(count, *shape)
