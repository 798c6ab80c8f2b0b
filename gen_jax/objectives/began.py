"""BEGAN (Berthelot et al. 2017): the discriminator is an autoencoder, and its reconstruction losses are the game.

A proportional controller keeps E L(G(z)) = gamma * E L(x) by moving the balance k; k lives in the state's `aux`.
"""

import jax
import jax.numpy as jnp

from gen_jax.core import axis


def reconstruction(images: jax.Array, decoded: jax.Array, power: int = 1) -> jax.Array:
    """L(v) = |v - D(v)|^power, mean over everything but the batch: [B, ...] twice -> [B] (eq. 1; power 1 or 2)."""
    return jnp.mean(jnp.abs(images - decoded) ** power, axis=tuple(range(1, images.ndim)))


def discriminator(real_losses: jax.Array, fake_losses: jax.Array, balance: jax.Array) -> jax.Array:
    """E L(x) - k E L(G(z)): section 3.4. Losses [B] by `reconstruction`; `balance` is k, scalar."""
    return jnp.mean(real_losses) - jax.lax.stop_gradient(balance) * jnp.mean(fake_losses)


def generator(fake_losses: jax.Array) -> jax.Array:
    """E L(G(z)): section 3.4."""
    return jnp.mean(fake_losses)


def update_balance(
    balance: jax.Array,
    real_losses: jax.Array,
    fake_losses: jax.Array,
    gamma: float | jax.Array = 0.5,
    rate: float | jax.Array = 1e-3,
) -> jax.Array:
    """k' = clip(k + rate (gamma E L(x) - E L(G(z))), 0, 1) with means over the global batch; start from k = 0."""
    real, fake = axis.batch_mean(real_losses), axis.batch_mean(fake_losses)
    return jax.lax.stop_gradient(jnp.clip(balance + rate * (gamma * real - fake), 0.0, 1.0))
