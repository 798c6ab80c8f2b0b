"""Gradient penalties: what the slope of the critic with respect to its input costs the critic.

Critics come in as callables `critic(x [B, ...]) -> logits [B]`. Every penalty is a mean over this instance's rows,
without a weight: the model multiplies (WGAN-GP and DRAGAN by lambda = 10, R1 and R2 by gamma / 2).

Which gradient. Each penalty is about the slope of D at x_i as x_i alone moves. `input_gradients` gets all rows from
one backward pass, as the gradient of the summed logits: the same thing wherever rows do not interact. Under BatchNorm
in training mode they do, and the sum adds every other row's reaction (for a critic that ends in a BatchNorm it is
zero: the penalty would silently do nothing). There, either let the critic use its running statistics (or LayerNorm,
as the WGAN-GP paper advises), or pass `gradients=row_gradients`, which is right for each row under any critic and
costs one backward pass a row. Both agree on every backend: a collective's transpose brings in the other shards' part.
"""

from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jax import lax

from gen_jax.core import axis, keys
from gen_jax.core.errors import UserError
from gen_jax.objectives.logits import need_logits

Critic: TypeAlias = Callable[[jax.Array], jax.Array]
Gradients: TypeAlias = Callable[[Critic, jax.Array], jax.Array]


def input_gradients(critic: Critic, x: jax.Array) -> jax.Array:
    """The gradient of the sum of all logits with respect to each input, [B, ...]; one backward pass."""
    logits, pullback = jax.vjp(critic, x)
    need_logits(logits, x)
    return pullback(jnp.ones_like(logits))[0]


def row_gradients(critic: Critic, x: jax.Array) -> jax.Array:
    """Row i is the gradient of logit i with respect to input i, other rows held still, [B, ...]; B backward passes."""
    logits, pullback = jax.vjp(critic, x)
    need_logits(logits, x)
    rows = axis.rows(x.shape[0])

    def add_row(total: jax.Array, row: jax.Array) -> tuple[jax.Array, None]:
        mine = (rows == row).astype(logits.dtype)  # all zeros on the shards that do not hold the row
        (slope,) = pullback(mine)
        return total + slope * mine.astype(x.dtype).reshape(-1, *[1] * (x.ndim - 1)), None

    everyone = jnp.arange(axis.gather(rows).shape[0], dtype=rows.dtype)
    total, _ = lax.scan(add_row, jnp.zeros_like(x), everyone)
    return total


def squared_norms(gradients: jax.Array) -> jax.Array:
    """Squared Euclidean norm of each row, [B, ...] -> [B]."""
    return jnp.sum(gradients**2, axis=tuple(range(1, gradients.ndim)))


def norms(gradients: jax.Array) -> jax.Array:
    """Euclidean norm of each row, [B, ...] -> [B], with derivative 0 (not NaN) at 0."""
    squares = squared_norms(gradients)
    positive = squares > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, squares, 1.0)), 0.0)


def interpolate(real: jax.Array, fake: jax.Array, key: jax.Array) -> jax.Array:
    """e x + (1 - e) G(z), one e ~ U(0, 1) an example: Gulrajani et al. 2017, algorithm 1. [B, ...]."""
    if real.shape != fake.shape:
        raise UserError(f"interpolating needs as many fakes as real examples: got {real.shape} and {fake.shape}")
    mix = keys.uniform(keys.named(key, "interpolate"), real.shape[0], *[1] * (real.ndim - 1)).astype(real.dtype)
    return mix * real + (1.0 - mix) * fake


def gradient_penalty(
    critic: Critic,
    real: jax.Array,
    fake: jax.Array,
    key: jax.Array,
    center: float | jax.Array = 1.0,
    one_sided: bool = False,
    gradients: Gradients = input_gradients,
) -> jax.Array:
    """WGAN-GP: E (|grad D(x^)| - center)^2 at random interpolates (Gulrajani et al. 2017, eq. 3).

    `one_sided` charges only slopes above `center` (WGAN-LP, Petzka et al. 2018); times lambda = 10 in both papers.
    """
    return _slope_penalty(gradients(critic, interpolate(real, fake, key)), center, one_sided)


def dragan_points(real: jax.Array, key: jax.Array, scale: float | jax.Array = 0.5) -> jax.Array:
    """x + a * scale * std * u with u ~ U(0, 1) a pixel, a ~ U(0, 1) an example, std over the whole global batch.

    The perturbation of the authors' code (Kodali et al. 2017), which is not the Gaussian of their algorithm 1.
    """
    mean = jnp.mean(axis.batch_mean(real))
    std = jnp.sqrt(jnp.mean(axis.batch_mean((real - mean) ** 2)))
    noise = keys.uniform(keys.named(key, "dragan_noise"), *real.shape).astype(real.dtype)
    amount = keys.uniform(keys.named(key, "dragan_amount"), real.shape[0], *[1] * (real.ndim - 1)).astype(real.dtype)
    return real + amount * scale * std * noise


def dragan(
    critic: Critic,
    real: jax.Array,
    key: jax.Array,
    scale: float | jax.Array = 0.5,
    center: float | jax.Array = 1.0,
    one_sided: bool = False,
    gradients: Gradients = input_gradients,
) -> jax.Array:
    """DRAGAN: E (|grad D| - center)^2 near the data, at `dragan_points` (Kodali et al. 2017); times lambda = 10."""
    return _slope_penalty(gradients(critic, dragan_points(real, key, scale)), center, one_sided)


def r1(critic: Critic, real: jax.Array, gradients: Gradients = input_gradients) -> jax.Array:
    """E |grad D(x)|^2 at real examples (Mescheder et al. 2018, eq. 9), *without* its factor: multiply by gamma / 2."""
    return jnp.mean(squared_norms(gradients(critic, real)))


def r2(critic: Critic, fake: jax.Array, gradients: Gradients = input_gradients) -> jax.Array:
    """E |grad D(G(z))|^2 at fakes (Mescheder et al. 2018, eq. 10), *without* its factor: multiply by gamma / 2.

    For the discriminator's phase: fakes are points there, so stop the gradient if the generator moves with them.
    """
    return jnp.mean(squared_norms(gradients(critic, fake)))


def lazy(penalty: Callable[[], jax.Array], step: jax.Array, interval: int | jax.Array) -> jax.Array:
    """`interval * penalty()` on every `interval`-th step and 0 between (StyleGAN2, Karras et al. 2020, 2.2).

    `penalty` takes no arguments and returns a scalar; it is computed only when it is due (under a `vmap` over `step`
    it is always computed). It joins the main loss, where StyleGAN2 gives it an Adam step of its own.
    """
    scalar = jax.eval_shape(penalty)
    return lax.cond(
        jnp.asarray(step) % interval == 0,
        lambda: (interval * penalty()).astype(scalar.dtype),
        lambda: jnp.zeros(scalar.shape, scalar.dtype),
    )


def _slope_penalty(gradients: jax.Array, center: float | jax.Array, one_sided: bool) -> jax.Array:
    excess = norms(gradients) - center
    return jnp.mean((jax.nn.relu(excess) if one_sided else excess) ** 2)
