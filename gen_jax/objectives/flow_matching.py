"""Flow matching (Lipman et al. 2023, arXiv:2210.02747) on straight paths (Liu et al. 2023, rectified flow,
arXiv:2209.03003), and the two solvers that samples are drawn with.

Time runs from noise (t = 0) to data (t = 1): x_t = (1 - t) noise + t data, whose velocity is data - noise. A velocity
field is v(x [B, ...], t float32 [B]) -> [B, ...].
"""

from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp

from gen_jax.core import keys
from gen_jax.core.errors import UserError
from gen_jax.core.types import Array

Velocity: TypeAlias = Callable[[Array, Array], Array]


def uniform_times(key: Array, count: int) -> Array:
    """t uniform on [0, 1): [count]."""
    return keys.uniform(keys.named(key, "time"), count)


def logit_normal_times(key: Array, count: int) -> Array:
    """t = sigmoid(n), n standard normal: [count]; most in the middle of the path (Esser et al. 2024,
    arXiv:2403.03206)."""
    return jax.nn.sigmoid(keys.normal(keys.named(key, "time"), count))


def on_path(noise: Array, data: Array, time: Array) -> tuple[Array, Array]:
    """(x_t, its velocity) of the straight paths from `noise` to `data` [B, ...] at `time` [B]."""
    t = time.reshape(-1, *[1] * (data.ndim - 1))
    return (1.0 - t) * noise + t * data, data - noise


def loss(velocity: Array, wanted: Array) -> Array:
    """The mean squared error over an example's numbers: [B, ...], [B, ...] -> [B]."""
    return jnp.mean((velocity - wanted) ** 2, axis=tuple(range(1, wanted.ndim)))


def euler(velocity: Velocity, x: Array, evaluations: float) -> Array:
    """From t = 0 to 1 in equal steps of Euler's method, one evaluation of the field each.

    Raises UserError unless `evaluations` is a whole number from 1 on (where it is not traced).
    """
    steps = _steps("euler", evaluations, 1)

    def step(number: Array, x: Array) -> Array:
        return x + velocity(x, _times(x, number / steps)) / steps

    return jax.lax.fori_loop(0, steps, step, x)


def heun(velocity: Velocity, x: Array, evaluations: float) -> Array:
    """From t = 0 to 1 in equal steps of Heun's method (second order), two evaluations of the field each.

    Raises UserError unless `evaluations` is an even number from 2 on (where it is not traced).
    """
    steps = _steps("heun", evaluations, 2)

    def step(number: Array, x: Array) -> Array:
        first = velocity(x, _times(x, number / steps))
        second = velocity(x + first / steps, _times(x, (number + 1) / steps))
        return x + (first + second) / (2 * steps)

    return jax.lax.fori_loop(0, steps, step, x)


def _times(x: Array, time: Array) -> Array:
    return jnp.full(x.shape[0], time, jnp.float32)


def _steps(name: str, evaluations: float, each: int) -> Array | int:
    if not isinstance(evaluations, int | float):
        return jnp.asarray(evaluations // each, jnp.int32)
    if not 1 <= evaluations <= 1_000_000 or evaluations % each:
        kind = "a whole number" if each == 1 else f"a multiple of {each}"
        raise UserError(f"{name} with {evaluations:g} evaluations: give {kind} from {each} to 1000000, such as 50")
    return int(evaluations) // each
