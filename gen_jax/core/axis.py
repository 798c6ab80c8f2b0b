"""The axes that rows of the global batch can be spread over, and reductions over all of them.

"data": a function that is traced inside `pmap`, `shard_map` or `vmap(..., axis_name="data")` sees one shard of the
batch; under `jit` (sharded or not) it sees the whole batch. "example": inside a gradient taken example by example
(`gradients.private`) it sees one row. Whether an axis is bound is a property of the trace, so it is asked here rather
than configured: BatchNorm, losses with batch statistics, noise and the engine's gradient average cannot disagree about
it, and the same model stays the same model on every backend.
"""

import jax
import jax.numpy as jnp
from jax import lax

from gen_jax.core.errors import UserError

DATA_AXIS = "data"
EXAMPLE_AXIS = "example"


def bound(axis: str = DATA_AXIS) -> bool:
    """True while tracing inside a map over the axis (`pmap`, `shard_map`, `vmap` with its name)."""
    try:
        lax.axis_index(axis)
    except NameError:
        return False
    return True


def name() -> str | None:
    """`"data"` where the axis is bound, else None: the `axis_name` that BatchNorm wants."""
    return DATA_AXIS if bound() else None


def rows(count: int) -> jax.Array:
    """Positions in the global batch of this instance's `count` examples: int32 [count].

    Shards are contiguous blocks in device order, as `PartitionSpec("data")` lays them out, and examples of a shard
    follow each other.
    """
    found = jnp.arange(count, dtype=jnp.int32)
    for axis in (EXAMPLE_AXIS, DATA_AXIS):
        if bound(axis):
            found = found + lax.axis_index(axis).astype(jnp.int32) * count
            count = count * lax.axis_size(axis)
    return found


def pmean(tree):
    """Mean over the data axis of every leaf; the identity where the axis is not bound.

    Raises UserError inside a gradient taken example by example, where a mean over examples would mix them.
    """
    refuse_example("a mean over the batch")
    return lax.pmean(tree, DATA_AXIS) if bound() else tree


def batch_mean(values: jax.Array) -> jax.Array:
    """Mean over the leading axis of the *global* batch, [B, ...] -> [...]. Differentiable on every backend."""
    return pmean(jnp.mean(values, axis=0))


def gather(values: jax.Array) -> jax.Array:
    """All rows of the global batch, [B_local, ...] -> [B_global, ...]. Differentiable on every backend."""
    refuse_example("the whole batch")
    return lax.all_gather(values, DATA_AXIS, axis=0, tiled=True) if bound() else values


def refuse_example(what: str) -> None:
    """Raises UserError inside a gradient taken example by example, where `what` would mix them."""
    if bound(EXAMPLE_AXIS):
        raise UserError(f"{what} is asked for where each example has a gradient of its own; this loss mixes examples")
