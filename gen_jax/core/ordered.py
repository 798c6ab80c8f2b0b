"""Sums over CPU devices in the order of the devices, whichever processes hold them.

A sum of floats depends on its order. Within one process XLA adds the devices' values by their numbers; between
processes Gloo passes partial sums round a ring, in another order for every part of an array. So on a CPU each such sum
is written as moves, which change no bit, and additions on one device: every device gets its part of the array from all
others and adds them up by number, and the sums are handed round. That moves as many bytes as a ring does, and one run
is the same to the bit on one process of four devices, two of two, or four of one. Accelerators keep their own sums.
"""

from typing import Any

import jax
from jax import lax
from jax import numpy as jnp
from jax._src import core as jax_core  # binds an axis while a rule is traced; jax.extend has no such thing
from jax._src.lax import parallel as collectives  # the primitives; their names in jax.lax come and go
from jax.interpreters import mlir

SMALL = 1024  # elements up to which every device adds up the whole: one message, not two


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
    (aval,) = ctx.avals_in
    mesh = getattr(ctx.module_context.axis_context, "mesh", None)
    plain = axis_index_groups is None and len(axes) == 1
    if not plain or mesh is None or axes[0] not in mesh.shape or not jnp.issubdtype(aval.dtype, jnp.inexact):
        return _theirs(ctx, x, axes=axes, axis_index_groups=axis_index_groups)
    (name,) = axes
    size = mesh.shape[name]
    with jax_core.extend_axis_env_nd([(name, size)]):
        return mlir.lower_fun(lambda x: total(x, name, size), multiple_results=False)(ctx, x)


def _lower_scatter(ctx: Any, x: Any, **how: Any) -> Any:
    (aval,) = ctx.avals_in
    mesh = getattr(ctx.module_context.axis_context, "mesh", None)
    name, size, where = how["axis_name"], how["axis_size"], how["scatter_dimension"]
    name = name[0] if isinstance(name, tuple) and len(name) == 1 else name
    plain = how["axis_index_groups"] is None and mesh is not None and name in mesh.shape
    if not plain or not jnp.issubdtype(aval.dtype, jnp.inexact):
        return _their_scatter(ctx, x, **how)

    def scattered(x: jax.Array) -> jax.Array:
        parts = jnp.moveaxis(x, where, 0)
        parts = parts.reshape(size, -1, *parts.shape[1:])
        mine = _added(lax.all_to_all(parts, name, 0, 0))
        return jnp.moveaxis(mine, 0, where) if how["tiled"] else mine[0]

    with jax_core.extend_axis_env_nd([(name, size)]):
        return mlir.lower_fun(scattered, multiple_results=False)(ctx, x)


def _theirs(ctx: Any, x: Any, **how: Any) -> Any:
    return collectives._allreduce_lowering(lax.add_p, lax.reduce_sum, ctx, x, **how)


def _their_scatter(ctx: Any, x: Any, **how: Any) -> Any:
    return collectives._reduce_scatter_lowering(lax.add_p, ctx, x, **how)


def install() -> None:
    """From here on sums over CPU devices (`lax.psum`, `pmean` and the transpose of `all_gather`) are taken in order."""
    mlir.register_lowering(collectives.psum_p, _lower_sum, platform="cpu")
    mlir.register_lowering(collectives.reduce_scatter_p, _lower_scatter, platform="cpu")
