"""Student's t as a decoder's likelihood: heavy tails for the outliers that real tables have.

MIWAE's choice for tables (Mattei & Frellsen 2019, arXiv:1812.02633, and its authors' notebook, whose constants these
are): scale = softplus + 0.001, degrees of freedom = 3 + softplus, so that mean and variance always exist.
"""

import math

import jax
import jax.numpy as jnp

from gen_jax.core import keys
from gen_jax.objectives.likelihoods import Likelihood, softplus

SMALLEST_SCALE, SMALLEST_DEGREES = 1e-3, 3.0


def log_density(value: jax.Array, mean: jax.Array, scale: jax.Array, degrees: jax.Array | float) -> jax.Array:
    """log of Student's density with location, scale and degrees of freedom, elementwise; shapes broadcast."""
    degrees = jnp.asarray(degrees, jnp.float32)
    constant = log_gamma_step(degrees / 2) - 0.5 * jnp.log(degrees * math.pi) - jnp.log(scale)
    return constant - (degrees + 1) / 2 * jnp.log1p(((value - mean) / scale) ** 2 / degrees)


def log_gamma_step(a: jax.Array) -> jax.Array:
    """log Γ(a + 1/2) - log Γ(a) for a >= 1/2, to 1e-6: three steps of Γ(a + 1) = a Γ(a), then its asymptotic series.

    The two log Γ and their derivatives, which `jax.scipy` has, would take most of a training step on a CPU.
    """
    far = a + 3.0
    inverse = 1.0 / far
    square = inverse * inverse
    series = inverse * (-1 / 8 + square * (1 / 192 + square * (-1 / 640 + square * (17 / 14336))))
    steps = (a + 0.5) * (a + 1.5) * (a + 2.5) / (a * (a + 1.0) * (a + 2.0))
    return 0.5 * jnp.log(far) + series - jnp.log(steps)


def student_t() -> Likelihood:
    """t(x; mean, scale, degrees) of each cell: outputs are [..., mean C | raw scale C | raw degrees C] (P = 3C)."""

    def split(outputs):
        mean, scale, degrees = jnp.split(outputs, 3, axis=-1)
        return mean, SMALLEST_SCALE + softplus(scale), SMALLEST_DEGREES + softplus(degrees)

    def log_prob(outputs, image):
        return log_density(image, *split(outputs))

    def sample(outputs, key):
        mean, scale, degrees = split(outputs)

        def one(key, degrees):
            return jax.random.t(key, degrees, degrees.shape)

        own = keys.per_example(keys.named(key, "likelihood"), mean.shape[0])
        return mean + scale * jax.vmap(one)(own, degrees)

    return Likelihood("student_t", lambda c: 3 * c, log_prob, lambda o: split(o)[0], sample, None)
