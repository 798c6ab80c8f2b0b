"""Divergences between latents and a prior: Gaussian and categorical KLs, and the maximum mean discrepancy.

A diagonal Gaussian is (mean, log_variance), each [..., d]; KLs and log-densities come per dimension, in nats, so that
free bits and active units can see them: sum over the last axis for the whole.
"""

import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from gen_jax.core import axis

LOG_2PI = math.log(2.0 * math.pi)
Kernel = Callable[[jax.Array], jax.Array]  # squared distances -> similarities, elementwise
WAE_SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


def normal_sample(mean: jax.Array, log_variance: jax.Array, noise: jax.Array) -> jax.Array:
    """mean + std · noise: the reparameterised sample; shapes broadcast, e.g. [B, d] with noise [k, B, d]."""
    return mean + jnp.exp(0.5 * log_variance) * noise


def normal_log_prob(
    value: jax.Array, mean: jax.Array | float = 0.0, log_variance: jax.Array | float = 0.0
) -> jax.Array:
    """log N(value; mean, exp(log_variance)) per dimension; shapes broadcast. The defaults are the standard normal."""
    return -0.5 * (LOG_2PI + log_variance + (value - mean) ** 2 * jnp.exp(-jnp.asarray(log_variance)))


def kl_standard_normal(mean: jax.Array, log_variance: jax.Array) -> jax.Array:
    """KL(N(mean, exp(log_variance)) || N(0, 1)) per dimension. Kingma & Welling 2014, appendix B."""
    return 0.5 * (mean**2 + jnp.exp(log_variance) - 1.0 - log_variance)


def kl_normal(
    mean: jax.Array, log_variance: jax.Array, other_mean: jax.Array, other_log_variance: jax.Array
) -> jax.Array:
    """KL(N(mean, ·) || N(other_mean, ·)) of diagonal Gaussians, per dimension."""
    difference = log_variance - other_log_variance
    return 0.5 * ((mean - other_mean) ** 2 * jnp.exp(-other_log_variance) + jnp.exp(difference) - 1.0 - difference)


def monte_carlo_kl(log_q: jax.Array, log_p: jax.Array) -> jax.Array:
    """Mean of log q - log p over k samples from q: [k, B] each -> [B]. Unbiased; a single draw can be negative."""
    return jnp.mean(log_q - log_p, axis=0)


def rbf(variances: Sequence[float | jax.Array]) -> Kernel:
    """Σ exp(-|x - y|² / (2 v)) over the variances v."""
    return lambda squared: sum((jnp.exp(-squared / (2.0 * v)) for v in variances), jnp.zeros_like(squared))


def inverse_multiquadric(constants: Sequence[float | jax.Array]) -> Kernel:
    """Σ C / (C + |x - y|²) over the constants C."""
    return lambda squared: sum((c / (c + squared) for c in constants), jnp.zeros_like(squared))


def wae_kernel(dims: int, sigma: float | jax.Array = 1.0, scales: Sequence[float] = WAE_SCALES) -> Kernel:
    """WAE-MMD's kernel: inverse multiquadrics with C = 2 d σ² · scale (Tolstikhin et al. 2018; its code's scales).

    2 d σ² is the expected squared distance of two draws from the prior N(0, σ² I_d).
    """
    return inverse_multiquadric([2.0 * dims * sigma**2 * scale for scale in scales])


def squared_distances(left: jax.Array, right: jax.Array) -> jax.Array:
    """|x_i - y_j|²: [n, d], [m, d] -> [n, m]. By differences: no cancellation, so never below zero."""
    return jnp.sum((left[:, None] - right[None]) ** 2, axis=-1)


def mmd(left: jax.Array, right: jax.Array, kernel: Kernel, unbiased: bool = True) -> jax.Array:
    """MMD² between the global batches behind two sets of local rows, [n, d] and [m, d]: a scalar, alike on all shards.

    Gretton et al. 2012, eq. 3: unbiased leaves out i = j within a set (and can go below zero), biased keeps it.
    """
    left, right = axis.gather(left), axis.gather(right)

    def within(points):
        count = points.shape[0]
        similar = kernel(squared_distances(points, points))
        if not unbiased:
            return jnp.mean(similar)
        return jnp.sum(similar * (1.0 - jnp.eye(count, dtype=similar.dtype))) / (count * (count - 1))

    return within(left) + within(right) - 2.0 * jnp.mean(kernel(squared_distances(left, right)))
