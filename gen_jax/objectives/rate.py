"""Steering the rate KL(q||p): warm-ups, capacity, free bits, a committed rate, and GECO's multiplier.

Schedules are optax-like callables of the step (int scalar or array -> float32), so their settings may be traced.
"""

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

import jax
import jax.numpy as jnp

from gen_jax.core import axis
from gen_jax.core.errors import UserError

Schedule = Callable[[jax.Array], jax.Array]


def linear_warmup(steps: int | jax.Array, start: float = 0.0, end: float = 1.0) -> Schedule:
    """`start` to `end` linearly over `steps`, then `end` (Bowman et al. 2016; Sønderby et al. 2016). 0 steps: `end`."""

    def schedule(step):
        progress = jnp.clip(jnp.asarray(step, jnp.float32) / jnp.maximum(steps, 1), 0.0, 1.0)
        return start + (end - start) * jnp.where(jnp.asarray(steps) > 0, progress, 1.0)

    return schedule


def cyclical(period: int, ramp: float = 0.5, start: float = 0.0, end: float = 1.0) -> Schedule:
    """Every `period` steps: a linear rise over the first `ramp` of it, then flat (Fu et al. 2019, eq. 6-7)."""

    def schedule(step):
        phase = jnp.mod(jnp.asarray(step, jnp.float32), period) / period
        return start + (end - start) * jnp.clip(phase / ramp, 0.0, 1.0)

    return schedule


def capacity_penalty(kl: jax.Array, capacity: jax.Array | float, gamma: jax.Array | float) -> jax.Array:
    """gamma |KL - C|, elementwise in nats, with C from a `linear_warmup` (Burgess et al. 2018, eq. 8).

    The paper's KL is the batch mean; hand that in (`axis.batch_mean(kl)`), or [B] for a capacity of each example's own.
    """
    return gamma * jnp.abs(kl - capacity)


class FreeBits(Enum):
    """Over what the KL is pooled before it is held to its allowance."""

    NONE = "none"
    PER_DIMENSION = "per_dimension"  # each latent dimension, averaged over the batch (Kingma et al. 2016, K = dims)
    PER_LAYER = "per_layer"  # each layer, averaged over the batch (Kingma et al. 2016, eq. 15, one group a layer)
    PER_SAMPLE = "per_sample"  # each layer of each example (Chen et al. 2017; ladder-vae-pytorch)


class Rate(NamedTuple):
    """How a model's KL is weighed: hyper["beta"] times `warm_up`, with free bits; or `capacity`; or GECO."""

    warm_up: Schedule | None = None  # step -> factor of beta
    free_bits: FreeBits = FreeBits.NONE  # the allowance is hyper["free_bits"], nats
    capacity: Schedule | None = None  # step -> nats, weight hyper["gamma"] in place of beta
    geco: bool = False  # the KL is minimised subject to a squared error an example of hyper["tolerance"]

    @property
    def reads(self) -> tuple[str, ...]:
        """The hypers that it needs."""
        if self.geco or self.capacity is not None:
            return ("tolerance",) if self.geco else ("gamma",)
        return ("beta",) if self.free_bits is FreeBits.NONE else ("beta", "free_bits")


def check(rate: Rate) -> None:
    """UserError for ways of steering that exclude each other."""
    ways = {"free bits": rate.free_bits is not FreeBits.NONE, "capacity": rate.capacity is not None, "geco": rate.geco}
    chosen = [name for name, on in ways.items() if on]
    if len(chosen) > 1:
        raise UserError(f"{' and '.join(chosen)} all steer the KL; choose one of them")
    if rate.warm_up is not None and (rate.geco or rate.capacity is not None):
        raise UserError(f"a warm-up of beta means nothing with {chosen[0]}, which puts no beta on the KL; leave it out")


def weight(rate: Rate, beta: jax.Array, step: jax.Array) -> jax.Array:
    """The KL's weight at a step: beta, warmed up. Scalar."""
    return beta * (rate.warm_up(step) if rate.warm_up else 1.0)


def free_bits(kl: jax.Array, allowance: float | jax.Array, how: FreeBits) -> jax.Array:
    """Σ max(KL, allowance) of one latent layer, kl [B, d] in nats -> [B], the penalised KL.

    `allowance` is in nats for each unit that is held: a dimension, or the layer. Below it the KL has no gradient.
    Pooled variants take the mean over the global batch, are the same for every example, and so agree on every backend.
    """
    pooled = {
        FreeBits.NONE: lambda: jnp.sum(kl, axis=1),
        FreeBits.PER_DIMENSION: lambda: jnp.sum(jnp.maximum(axis.batch_mean(kl), allowance)),
        FreeBits.PER_LAYER: lambda: jnp.maximum(jnp.sum(axis.batch_mean(kl)), allowance),
        FreeBits.PER_SAMPLE: lambda: jnp.maximum(jnp.sum(kl, axis=1), allowance),
    }
    return jnp.broadcast_to(pooled[how](), kl.shape[:1])


class Geco(NamedTuple):
    """GECO's controller state, for `State.aux`: scalars."""

    log_multiplier: jax.Array
    constraint: jax.Array  # moving average of the constraint
    started: jax.Array  # 0.0 before the first update, then 1.0


def geco_init(multiplier: float = 1.0) -> Geco:
    """A controller that starts at λ = `multiplier`."""
    return Geco(jnp.log(jnp.float32(multiplier)), jnp.float32(0.0), jnp.float32(0.0))


def geco(
    error: jax.Array,
    tolerance: float | jax.Array,
    state: Geco,
    rate: float | jax.Array = 0.01,
    decay: float | jax.Array = 0.99,
    limit: float = 13.8,
) -> tuple[jax.Array, Geco]:
    """One step of GECO (Rezende & Viola 2018, algorithm 1): minimise KL subject to mean error <= tolerance.

    `error` [B] is the reconstruction error in the tolerance's units (e.g. squared error an image). Returns (λ C [B],
    new state), with C = error - tolerance: the loss is KL + λ C. λ is a constant of the gradient, updated after use by
    λ exp(rate · C̄), C̄ the moving average over steps of the global batch mean; |log λ| <= `limit` (10^6).
    """
    constraint = error - tolerance
    now = jax.lax.stop_gradient(axis.batch_mean(constraint))
    average = jnp.where(state.started > 0, decay * state.constraint + (1.0 - decay) * now, now)
    updated = jnp.clip(state.log_multiplier + rate * average, -limit, limit)
    multiplier = jax.lax.stop_gradient(jnp.exp(state.log_multiplier))
    return multiplier * constraint, Geco(updated, average, jnp.ones_like(state.started))
