"""Differential privacy, counted: ε of the Gaussian mechanism on Poisson-sampled batches, by the package dp-accounting.

Two accountants: Rényi differential privacy (Mironov 2017; Mironov, Talwar & Zhang 2019), which composes by a sum, and
privacy loss distributions (Koskela et al. 2020), which are tighter. Neighbouring data sets differ by one example that
is there or is not. The accountant is right only of batches that are drawn as it assumes (`data.poisson`).
"""

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp

from gen_jax.core.errors import UserError, missing_package
from gen_jax.core.types import Array

ORDERS = (*(1 + x / 10.0 for x in range(1, 100)), *range(11, 64), 80, 96, 128, 192, 256, 384, 512, 768, 1024)


class Curve(NamedTuple):
    """Rényi divergences of one step at `orders`, and δ: what ε is after any number of steps."""

    orders: tuple[float, ...]
    step: tuple[float, ...]
    delta: float

    def epsilon(self, steps: Array) -> Array:
        """ε after so many steps, as a traced scalar: the least over the orders (Canonne, Kamath & Steinke 2020)."""
        orders, step = jnp.asarray(self.orders, jnp.float32), jnp.asarray(self.step, jnp.float32)
        bound = step * steps + jnp.log1p(-1.0 / orders) - jnp.log(self.delta * orders) / (orders - 1.0)
        return jnp.maximum(jnp.min(jnp.where(jnp.isfinite(step), bound, jnp.inf)), 0.0)


def _package():
    try:
        import dp_accounting
    except ImportError:
        raise missing_package("dp-accounting", "pip install dp-accounting", "private training") from None
    return dp_accounting


def _event(noise: float, rate: float, steps: int):
    package = _package()
    step = package.PoissonSampledDpEvent(rate, package.GaussianDpEvent(noise))
    return package.SelfComposedDpEvent(step, steps)


@functools.cache
def rdp(noise: float, rate: float, steps: int, delta: float) -> float:
    """ε by Rényi differential privacy. noise: standard deviation in units of the clipping bound. rate: the share of the
    data that a batch is expected to hold. Raises UserError where dp-accounting is not installed."""
    from dp_accounting.rdp import RdpAccountant

    accountant = RdpAccountant(ORDERS)
    return float(accountant.compose(_event(noise, rate, steps)).get_epsilon(delta))


@functools.cache
def pld(noise: float, rate: float, steps: int, delta: float) -> float:
    """ε by privacy loss distributions, as by `rdp`."""
    _package()
    from dp_accounting.pld import PLDAccountant

    return float(PLDAccountant().compose(_event(noise, rate, steps)).get_epsilon(delta))


@functools.cache
def curve(noise: float, rate: float, delta: float) -> Curve:
    """The curve of one step."""
    _package()
    from dp_accounting.rdp import RdpAccountant

    accountant = RdpAccountant(ORDERS).compose(_event(noise, rate, 1))
    return Curve(tuple(map(float, ORDERS)), tuple(map(float, _divergences(accountant))), delta)


def _divergences(accountant) -> Sequence[float]:
    """Of an accountant, at its orders. The package keeps them to itself, so they are read where it keeps them."""
    return accountant._rdp


@functools.cache
def noise_for(epsilon: float, rate: float, steps: int, delta: float) -> float:
    """The least noise with which `steps` steps spend at most `epsilon` by privacy loss distributions, to four digits,
    rounded up. Raises UserError where even a hundred thousand clipping bounds of noise spend more.
    """
    high = 1.0
    while rdp(high, rate, steps, delta) > epsilon:  # quick, and never below the other's
        high *= 2
        if high > 1e5:
            raise UserError(f"--epsilon {epsilon:g} cannot be kept over {steps:,} steps; ask for more, or train less")
    low = high / 2
    while rdp(low, rate, steps, delta) <= epsilon:
        low, high = low / 2, low
    while high - low > 0.01 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if rdp(middle, rate, steps, delta) > epsilon else (low, middle)
    low = 0.9 * high  # far below what is needed, distributions of losses are too wide to be composed in a minute
    while pld(low, rate, steps, delta) <= epsilon:
        low, high = 0.9 * low, low
    while high - low > 2e-5 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if pld(middle, rate, steps, delta) > epsilon else (low, middle)
    return math.ceil(high * 1e4) / 1e4
