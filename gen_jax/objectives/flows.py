"""Normalising flows as pairs of pure functions: affine coupling (RealNVP), autoregressive (MAF, IAF), permutations.

The networks are handed in as *conditioners*, closures `x -> (shift, log_scale)` over their own parameters (and any
context); this file knows only the algebra. Every map returns (result, log|det Jacobian| [B]) of the direction taken.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gen_jax.objectives.likelihoods import sum_event

Map = Callable[[jax.Array], tuple[jax.Array, jax.Array]]
Conditioner = Callable[[jax.Array], tuple[jax.Array, jax.Array]]  # x [B, ...] -> (shift, log_scale), each [B, ...]


class Flow(NamedTuple):
    """An invertible map of [B, ...]: `forward` x -> y, `inverse` y -> x, each with its own log-determinant [B]."""

    forward: Map
    inverse: Map


def invert(flow: Flow) -> Flow:
    """The same map run backwards: a MAF becomes an IAF."""
    return Flow(flow.inverse, flow.forward)


def _over(maps: Sequence[Map]) -> Map:
    def apply(x):
        total = jnp.zeros(x.shape[0], x.dtype)
        for step in maps:
            x, log_det = step(x)
            total = total + log_det
        return x, total

    return apply


def chain(flows: Sequence[Flow]) -> Flow:
    """flows[0] first in the forward direction."""
    return Flow(_over([f.forward for f in flows]), _over([f.inverse for f in reversed(flows)]))


def coupling(conditioner: Conditioner, mask: jax.Array | np.ndarray, limit: float = 5.0) -> Flow:
    """Affine coupling (Dinh et al. 2017, eq. 7-9): y = x where `mask` is 1, else y = x e^s + t, (t, s) = f(mask x).

    `mask` has the event's shape (or broadcasts to it). s passes through limit · tanh(s/limit), so that no layer scales
    by more than e^limit.
    """
    mask = jnp.asarray(mask)

    def shift_and_scale(x):
        shift, log_scale = conditioner(x * mask)
        return shift * (1 - mask), limit * jnp.tanh(log_scale / limit) * (1 - mask)

    def forward(x):
        shift, log_scale = shift_and_scale(x)
        return x * jnp.exp(log_scale) + shift, sum_event(jnp.broadcast_to(log_scale, x.shape))

    def inverse(y):
        shift, log_scale = shift_and_scale(y)
        return (y - shift) * jnp.exp(-log_scale), -sum_event(jnp.broadcast_to(log_scale, y.shape))

    return Flow(forward, inverse)


def masked_autoregressive(conditioner: Conditioner, limit: float = 5.0) -> Flow:
    """MAF (Papamakarios et al. 2017, eq. 3): y_i = x_i e^{s_i} + t_i with (t_i, s_i) functions of y_1..y_{i-1} only.

    `conditioner` must be autoregressive in that order (MADE: `made_masks`). Inverse (density) takes one pass, forward
    (sampling) d passes. `invert(...)` of it is an IAF, of the paper's first form (eq. 10): one pass to sample, with its
    density. s passes through limit · tanh(s/limit), as in `coupling`; MAF has no such bound.
    """

    def shift_and_scale(y):
        shift, log_scale = conditioner(y)
        return shift, limit * jnp.tanh(log_scale / limit)

    def inverse(y):
        shift, log_scale = shift_and_scale(y)
        return (y - shift) * jnp.exp(-log_scale), -jnp.sum(log_scale, axis=-1)

    def forward(x):
        # After i passes the first i coordinates are right; the last pass also gives the scales.
        def refine(y, _):
            shift, log_scale = shift_and_scale(y)
            return x * jnp.exp(log_scale) + shift, jnp.sum(log_scale, axis=-1)

        y, log_dets = jax.lax.scan(refine, jnp.zeros_like(x), None, length=x.shape[-1])
        return y, log_dets[-1]

    return Flow(forward, inverse)


def gated_autoregressive(conditioner: Conditioner, bias: float = 2.0) -> Flow:
    """IAF's stable update (Kingma et al. 2016, eq. 13-14): y = σ x + (1 - σ) m, σ = sigmoid(s + bias).

    (m, s) are the conditioner's of x_1..x_{i-1} (MADE: `made_masks`); nothing bounds s, since a gate bounds itself.
    With the bias it starts near the identity. Forward (sampling) takes one pass, inverse d passes.
    """

    def parts(x):
        mean, raw = conditioner(x)
        return mean, raw + bias

    def forward(x):
        mean, raw = parts(x)
        gate = jax.nn.sigmoid(raw)
        return gate * x + (1.0 - gate) * mean, jnp.sum(jax.nn.log_sigmoid(raw), axis=-1)

    def inverse(y):
        def refine(x, _):
            mean, raw = parts(x)  # (1 - σ) / σ = e^{-raw}
            return y + (y - mean) * jnp.exp(-raw), -jnp.sum(jax.nn.log_sigmoid(raw), axis=-1)

        x, log_dets = jax.lax.scan(refine, jnp.zeros_like(y), None, length=y.shape[-1])
        return x, log_dets[-1]

    return Flow(forward, inverse)


def permutation(order: Sequence[int] | np.ndarray) -> Flow:
    """y = x[..., order]; log-determinant 0."""
    order = np.asarray(order)
    back = np.argsort(order)
    return Flow(
        lambda x: (x[..., order], jnp.zeros(x.shape[0], x.dtype)),
        lambda y: (y[..., back], jnp.zeros(y.shape[0], y.dtype)),
    )


def reverse(dims: int) -> Flow:
    """The permutation that turns the order round: what MAF and IAF put between their layers."""
    return permutation(np.arange(dims)[::-1])


def alternating_masks(dims: int, layers: int) -> list[np.ndarray]:
    """Masks [d] of 0 and 1 that pass the even and the odd coordinates in turn."""
    return [((np.arange(dims) + layer) % 2 == 0).astype(np.float32) for layer in range(layers)]


def made_masks(dims: int, hidden: Sequence[int], outputs: int = 2) -> list[np.ndarray]:
    """MADE's weight masks [fan_in, fan_out] for an MLP d -> hidden... -> outputs · d (Germain et al. 2015).

    Output j of each block depends on inputs before j only. Degrees cycle through 1..d-1 in each hidden layer.
    """
    degrees = [np.arange(1, dims + 1)]
    degrees += [np.arange(width) % max(dims - 1, 1) + 1 for width in hidden]
    masks = [(later[None, :] >= earlier[:, None]).astype(np.float32) for earlier, later in pairwise(degrees)]
    last = (degrees[0][None, :] > degrees[-1][:, None]).astype(np.float32)
    return [*masks, np.tile(last, (1, outputs))]
