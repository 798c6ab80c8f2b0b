"""InfoGAN (Chen et al. 2016): codes c beside the noise, and a variational lower bound on I(c; G(z, c)).

The bound (eq. 5) is E log q(c | x) + H(c): a likelihood of the codes that were drawn, under what a network recovers.
"""

import math

import jax
import jax.numpy as jnp

from gen_jax.core import keys


def draw_categorical(key: jax.Array, count: int, categories: int, groups: int = 1) -> jax.Array:
    """Uniform one-hot codes, float32 [count, groups * categories]; independent of the layout."""
    draws = keys.draw(
        keys.named(key, "categorical_codes"), count, lambda k: jax.random.randint(k, (groups,), 0, categories)
    )
    return jax.nn.one_hot(draws, categories).reshape(count, groups * categories)


def draw_continuous(key: jax.Array, count: int, dimensions: int) -> jax.Array:
    """Codes from U(-1, 1), float32 [count, dimensions]; independent of the layout."""
    return keys.uniform(keys.named(key, "continuous_codes"), count, dimensions, minval=-1.0, maxval=1.0)


def categorical_log_likelihood(logits: jax.Array, codes: jax.Array, groups: int = 1) -> jax.Array:
    """log q(c | x) of one-hot codes, in nats: logits and codes [B, groups * categories] -> [B], summed over groups."""
    shape = (logits.shape[0], groups, -1)
    log_probabilities = jax.nn.log_softmax(logits.reshape(shape), axis=-1)
    return jnp.sum(log_probabilities * codes.reshape(shape), axis=(1, 2))


def gaussian_log_likelihood(codes: jax.Array, mean: jax.Array, log_variance: jax.Array | None = None) -> jax.Array:
    """log N(c; mean, exp(log_variance)) in nats, [B, d] each -> [B]; unit variance where none is given."""
    log_variance = jnp.zeros_like(mean) if log_variance is None else log_variance
    squares = (codes - mean) ** 2 * jnp.exp(-log_variance)
    return -0.5 * jnp.sum(squares + log_variance + math.log(2 * math.pi), axis=-1)


def categorical_entropy(categories: int, groups: int = 1) -> float:
    """H(c) of `draw_categorical`, in nats."""
    return groups * math.log(categories)


def continuous_entropy(dimensions: int) -> float:
    """Differential entropy of `draw_continuous`, in nats."""
    return dimensions * math.log(2.0)


def mutual_information(log_likelihood: jax.Array, entropy: float | jax.Array) -> jax.Array:
    """The lower bound E log q(c | x) + H(c) on I(c; x), nats, scalar: mean over this instance's rows; maximise it."""
    return jnp.mean(log_likelihood) + entropy
