"""The data axis: which rows of the global batch this program instance holds, and reductions over all of them.

A function that is traced inside `pmap`, `shard_map` or `vmap(..., axis_name="data")` sees one shard of the batch;
under `jit` (sharded or not) it sees the whole batch. Whether the axis is bound is a property of the trace, so it is
asked here rather than configured: BatchNorm, losses with batch statistics, noise and the engine's gradient average
cannot disagree about it, and the same model stays the same model on every backend.
"""

import jax
import jax.numpy as jnp
from jax import lax

DATA_AXIS = "data"


def bound() -> bool:
    """True while tracing inside a map over the data axis (`pmap`, `shard_map`, `vmap` with its name)."""
    try:
        lax.axis_index(DATA_AXIS)
    except NameError:
        return False
    return True


def name() -> str | None:
    """`"data"` where the axis is bound, else None: the `axis_name` that BatchNorm wants."""
    return DATA_AXIS if bound() else None


def rows(count: int) -> jax.Array:
    """Positions in the global batch of this instance's `count` examples: int32 [count].

    Shards are contiguous blocks in device order, as `PartitionSpec("data")` lays them out.
    """
    local = jnp.arange(count, dtype=jnp.int32)
    return local + lax.axis_index(DATA_AXIS).astype(jnp.int32) * count if bound() else local


def pmean(tree):
    """Mean over the data axis of every leaf; the identity where the axis is not bound."""
    return lax.pmean(tree, DATA_AXIS) if bound() else tree


def batch_mean(values: jax.Array) -> jax.Array:
    """Mean over the leading axis of the *global* batch, [B, ...] -> [...]. Differentiable on every backend."""
    return pmean(jnp.mean(values, axis=0))


def gather(values: jax.Array) -> jax.Array:
    """All rows of the global batch, [B_local, ...] -> [B_global, ...]. Differentiable on every backend."""
    return lax.all_gather(values, DATA_AXIS, axis=0, tiled=True) if bound() else values
