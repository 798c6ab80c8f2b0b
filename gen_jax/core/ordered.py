"""Sums over CPU devices in the order of the devices, whichever processes hold them.

A sum of floats depends on its order. Within one process XLA adds the devices' values by their numbers; between
processes Gloo passes partial sums round a ring, in another order for every part of an array. So on a CPU each such sum
is written as moves, which change no bit, and additions on one device: every device gets its part of the array from all
others and adds them up by number, and the sums are handed round. That moves as many bytes as a ring does, and one run
is the same to the bit on one process of four devices, two of two, or four of one. Accelerators keep their own sums.
"""

from collections.abc import Callable
from typing import Any

import jax
from jax import lax
from jax import numpy as jnp
from jax.extend.core import jaxpr_as_fun
from jax.interpreters import mlir

SMALL = 1024  # elements up to which every device adds up the whole: one message, not two
_AXIS = "axis"


def total(x: jax.Array, axis: str, devices: int) -> jax.Array:
    """The sum of `x` over the axis, on every device, added in the order of devices."""
    if x.size <= SMALL:
        return _added(lax.all_gather(x, axis))
    share = -(-x.size // devices)
    parts = jnp.pad(x.reshape(-1), (0, share * devices - x.size)).reshape(devices, share)
    mine = _added(lax.all_to_all(parts, axis, 0, 0))  # [devices, share]: this device's part, from all
    return lax.all_gather(mine, axis, tiled=True)[: x.size].reshape(x.shape)


def _added(rows: jax.Array) -> jax.Array:
    """[devices, ...] -> the sum of the rows, in their order: not `jnp.sum`, whose order is the compiler's."""
    found = rows[0]
    for row in rows[1:]:
        found = found + row
    return found


def _lower_sum(ctx: Any, x: Any, *, axes: tuple[Any, ...], axis_index_groups: Any) -> Any:
    _refuse_groups(axis_index_groups)
    sizes = _axes_of(ctx)

    def summed(x: jax.Array) -> jax.Array:
        x = jnp.sum(x, [axis for axis in axes if isinstance(axis, int)])  # of the array itself: `vmap` makes such
        for name in axes:
            x = x if isinstance(name, int) else total(x, name, sizes[name])
        return x

    return _lowered(ctx, x, summed)


def _lower_scatter(ctx: Any, x: Any, *, scatter_dimension: int, axis_name: Any, axis_index_groups: Any, axis_size: int,
                   tiled: bool) -> Any:  # fmt: skip
    _refuse_groups(axis_index_groups)

    def scattered(x: jax.Array) -> jax.Array:
        parts = jnp.moveaxis(x, scatter_dimension, 0)
        parts = parts.reshape(axis_size, -1, *parts.shape[1:])
        mine = _added(lax.all_to_all(parts, axis_name, 0, 0))
        return jnp.moveaxis(mine, 0, scatter_dimension) if tiled else mine[0]

    return _lowered(ctx, x, scattered)


def _refuse_groups(groups: Any) -> None:
    if groups is not None:
        raise NotImplementedError("sums over groups of devices have no order here; sum over a mesh axis of their own")


def _lowered(ctx: Any, x: Any, sums: Callable[[jax.Array], jax.Array]) -> Any:
    """The instructions of `sums`, traced where the mesh's axes have their names."""
    (aval,) = ctx.avals_in
    traced = jax.make_jaxpr(sums, axis_env=list(_axes_of(ctx).items()))(jax.ShapeDtypeStruct(aval.shape, aval.dtype))
    return mlir.lower_fun(jaxpr_as_fun(traced), multiple_results=True)(ctx, x)


def _axes_of(ctx: Any) -> dict[Any, int]:
    """The mesh's axes and how long they are; none where nothing is mapped over devices."""
    mesh = getattr(ctx.module_context.axis_context, "mesh", None)
    return {} if mesh is None else dict(mesh.shape)


def _primitive(collective: Callable[..., jax.Array]) -> Any:
    """What `lax.psum` or `lax.psum_scatter` is to JAX: what they are traced to has no place in its interface."""
    traced = jax.make_jaxpr(lambda x: collective(x, _AXIS), axis_env=[(_AXIS, 1)])
    return traced(jax.ShapeDtypeStruct((1,), jnp.float32)).eqns[-1].primitive


def install() -> None:
    """From here on sums over CPU devices (`lax.psum`, `pmean` and the transpose of `all_gather`) are taken in order."""
    mlir.register_lowering(_primitive(lax.psum), _lower_sum, platform="cpu")
    mlir.register_lowering(_primitive(lax.psum_scatter), _lower_scatter, platform="cpu")
