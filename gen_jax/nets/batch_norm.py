"""Batch normalisation for accelerators: two sums on the way forward, two on the way back, each pair in one pass.

Written out by automatic differentiation the gradient is six sums over the batch, and XLA's GPU back end adds up a tall
matrix of few columns on as few cores as it has columns of blocks: half of a DCGAN's round (see
docs/performance_notes.md). Here sums come in pairs, read their arguments once, and go by pieces of rows, then over the
pieces. The derivative is the closed form, with x^ = (x - mean) / sigma,

    dy = scale / sigma (dx - mean(dx) - x^ mean(x^ dx)) + x^ dscale + dbias,

linear in what moves, so its transpose is the gradient that papers derive (Ioffe & Szegedy 2015, section 3), and its own
derivatives are those of the formula: second derivatives and forward mode are exact. On a CPU Flax's layer stays, whose
sums XLA fuses with their neighbours.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from gen_jax.core import axis

PIECE = 16  # rows of a piece at least: what a warp's worth of threads adds up one after another
COLUMNS = 32  # that one block of threads sums side by side
BLOCKS = 512  # a few for each of a large GPU's cores


class BatchNorm(nn.Module):
    """As `flax.linen.BatchNorm`, parameters and statistics under the same names; x [..., C]. Statistics are float32.

    Over the whole global batch where the data axis is bound, as `layers.BatchNorm` says.
    """

    dtype: Any = jnp.float32
    scale_init: Callable[..., jax.Array] = nn.initializers.ones_init()
    momentum: float = 0.9
    epsilon: float = 1e-5
    use_scale: bool = True
    use_bias: bool = True

    @nn.compact
    def __call__(self, x: jax.Array, use_running_average: bool) -> jax.Array:
        channels = (x.shape[-1],)
        mean = self.variable("batch_stats", "mean", lambda: jnp.zeros(channels, jnp.float32))
        var = self.variable("batch_stats", "var", lambda: jnp.ones(channels, jnp.float32))
        scale = self.param("scale", self.scale_init, channels, jnp.float32) if self.use_scale else jnp.ones(channels)
        bias = (
            self.param("bias", nn.initializers.zeros, channels, jnp.float32) if self.use_bias else jnp.zeros(channels)
        )
        if use_running_average:
            return ((x - mean.value) * (lax.rsqrt(var.value + self.epsilon) * scale) + bias).astype(self.dtype)
        y, now, spread = normalise(x.reshape(-1, *channels), scale, bias, self.epsilon, self.dtype)
        if not self.is_initializing():
            mean.value = self.momentum * mean.value + (1 - self.momentum) * now
            var.value = self.momentum * var.value + (1 - self.momentum) * spread
        return y.reshape(x.shape)


@partial(jax.custom_jvp, nondiff_argnums=(3, 4))
def normalise(
    x: jax.Array, scale: jax.Array, bias: jax.Array, epsilon: float, dtype: Any
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """x [rows, C], scale and bias [C] -> (normalised rows in `dtype`, mean [C], biased variance [C])."""
    return _normalise(x, scale, bias, epsilon, dtype)[:3]


def _normalise(x: jax.Array, scale: jax.Array, bias: jax.Array, epsilon: float, dtype: Any):
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    mean, square = axis.pmean(totals(wide, wide * wide) / x.shape[0])
    var = jnp.maximum(0.0, square - mean * mean)  # as Flax: rounding must not make it negative
    inverse = lax.rsqrt(var + epsilon)
    return ((wide - mean) * (inverse * scale) + bias).astype(dtype), mean, var, inverse, wide


@normalise.defjvp
def _(epsilon: float, dtype: Any, primals, tangents):
    x, scale, bias = primals
    dx, dscale, dbias = tangents
    y, mean, var, inverse, wide = _normalise(x, scale, bias, epsilon, dtype)
    unit, gain, dx = (wide - mean) * inverse, scale * inverse, dx.astype(wide.dtype)
    dmean, slope = axis.pmean(totals(dx, dx * unit) / x.shape[0])
    shift, along = _spread_p.bind(jnp.stack([dbias - gain * dmean, dscale - gain * slope]), rows=x.shape[0])
    return (y, mean, var), ((gain * dx + shift + unit * along).astype(dtype), dmean, 2 * slope / inverse)


# --- pairs of sums, and their transpose -------------------------------------------------------------------------------


def totals(u: jax.Array, v: jax.Array) -> jax.Array:
    """Column sums of two matrices [rows, C] of one dtype, read in one pass: [2, C]."""
    return _totals_p.bind(u, v)


def pieces(rows: int, columns: int) -> int:
    """Into how many pieces of rows a sum goes: a power of two that divides them, 1 where a single pass will do."""
    wanted, found = -(-BLOCKS * COLUMNS // max(columns, COLUMNS)), 1
    while found < wanted and rows % (2 * found) == 0 and rows // (2 * found) >= PIECE:
        found *= 2
    return found


def _totals(u: jax.Array, v: jax.Array) -> jax.Array:
    *lead, rows, columns = u.shape
    parts, zero = pieces(rows, columns), jnp.zeros((), u.dtype)

    def both(u: jax.Array, v: jax.Array) -> tuple[jax.Array, jax.Array]:
        return lax.reduce((u, v), (zero, zero), lambda a, b: (a[0] + b[0], a[1] + b[1]), (u.ndim - 2,))

    if parts > 1:
        split = (*lead, parts, rows // parts, columns)
        # The barrier keeps XLA from making one sum of the two.
        u, v = lax.optimization_barrier(both(u.reshape(split), v.reshape(split)))
    return jnp.stack(both(u, v))


def _spread(sums: jax.Array, *, rows: int) -> list[jax.Array]:
    """[2, ..., C] -> two of [..., rows, C], every row the same."""
    return [jnp.broadcast_to(one[..., None, :], (*one.shape[:-1], rows, one.shape[-1])) for one in sums]


_totals_p, _spread_p = Primitive("gen_jax_totals"), Primitive("gen_jax_spread")
_spread_p.multiple_results = True
_totals_p.def_impl(jax.jit(_totals))
_spread_p.def_impl(jax.jit(_spread, static_argnames="rows"))
_totals_p.def_abstract_eval(lambda u, v: u.update(shape=(2, *u.shape[:-2], u.shape[-1]), weak_type=False))
_spread_p.def_abstract_eval(
    lambda sums, *, rows: [sums.update(shape=(*sums.shape[1:-1], rows, sums.shape[-1]), weak_type=False)] * 2
)
mlir.register_lowering(_totals_p, mlir.lower_fun(_totals, multiple_results=False))
mlir.register_lowering(_spread_p, mlir.lower_fun(_spread, multiple_results=True))


def _totals_transpose(cotangent, u, v):
    if type(cotangent) is ad.Zero:
        return [None, None]
    return _spread_p.bind(cotangent, rows=u.aval.shape[-2])


def _spread_jvp(primals, tangents, *, rows: int):
    out = _spread_p.bind(*primals, rows=rows)
    (moving,) = tangents
    if type(moving) is ad.Zero:
        return out, [ad.Zero(jax.typeof(one).to_tangent_aval()) for one in out]
    return out, _spread_p.bind(moving, rows=rows)


def _spread_transpose(cotangents, sums, *, rows: int):
    return [_totals_p.bind(*map(ad.instantiate_zeros, cotangents))]


ad.deflinear2(_totals_p, _totals_transpose)
ad.primitive_jvps[_spread_p] = _spread_jvp
ad.primitive_transposes[_spread_p] = _spread_transpose


def _totals_batched(arguments, axes):
    (size,) = {a.shape[i] for a, i in zip(arguments, axes, strict=True) if i is not None}
    first = [
        jnp.broadcast_to(a, (size, *a.shape)) if i is None else jnp.moveaxis(a, i, 0)
        for a, i in zip(arguments, axes, strict=True)
    ]
    return _totals_p.bind(*first), 1


def _spread_batched(arguments, axes, *, rows: int):
    return _spread_p.bind(jnp.moveaxis(arguments[0], axes[0], 1), rows=rows), [0, 0]


batching.primitive_batchers[_totals_p] = _totals_batched
batching.primitive_batchers[_spread_p] = _spread_batched
