"""Regularisers of the critic's outputs: LeCam, consistency under augmentation, and noise on what it sees.

Critics come in as callables `critic(x [B, ...]) -> logits [B]`; results are means over this instance's rows.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from gen_jax.core import axis, keys

Critic = Callable[[jax.Array], jax.Array]


def lecam(
    real_logits: jax.Array,
    fake_logits: jax.Array,
    ema_real: jax.Array,
    ema_fake: jax.Array,
    one_sided: bool = False,
) -> jax.Array:
    """E (D(x) - ema_fake)^2 + E (D(G(z)) - ema_real)^2: Tseng et al. 2021, eq. 5. Logits [B], averages scalar.

    `one_sided` is the authors' code, which charges only where real lies above and fake below the other's average.
    The averages are kept in `aux` by `lecam_averages`.
    """
    real_excess = real_logits - jax.lax.stop_gradient(ema_fake)
    fake_excess = jax.lax.stop_gradient(ema_real) - fake_logits
    if one_sided:
        real_excess, fake_excess = jax.nn.relu(real_excess), jax.nn.relu(fake_excess)
    return jnp.mean(real_excess**2) + jnp.mean(fake_excess**2)


def lecam_averages(
    ema_real: jax.Array,
    ema_fake: jax.Array,
    real_logits: jax.Array,
    fake_logits: jax.Array,
    decay: float | jax.Array = 0.99,
) -> tuple[jax.Array, jax.Array]:
    """The next (ema_real, ema_fake): decay * ema + (1 - decay) * mean over the global batch; start both from 0."""
    real, fake = axis.batch_mean(real_logits), axis.batch_mean(fake_logits)
    new = decay * ema_real + (1.0 - decay) * real, decay * ema_fake + (1.0 - decay) * fake
    return jax.lax.stop_gradient(new)


def consistency(critic: Critic, x: jax.Array, augmented: jax.Array) -> jax.Array:
    """CR-GAN: E (D(x) - D(T(x)))^2 (Zhang et al. 2020, eq. 2), times lambda = 10 there. `augmented` is T(x)."""
    return jnp.mean((critic(x) - critic(augmented)) ** 2)


def balanced_consistency(
    critic: Critic,
    real: jax.Array,
    real_augmented: jax.Array,
    fake: jax.Array,
    fake_augmented: jax.Array,
    real_weight: float | jax.Array = 10.0,
    fake_weight: float | jax.Array = 10.0,
) -> jax.Array:
    """bCR: consistency of both batches, each with its weight (Zhao et al. 2021, algorithm 1); weights included."""
    return real_weight * consistency(critic, real, real_augmented) + fake_weight * consistency(
        critic, fake, fake_augmented
    )


def instance_noise(x: jax.Array, key: jax.Array, sigma: float | jax.Array) -> jax.Array:
    """x + sigma * N(0, I), independent of the layout (Sonderby et al. 2017; Arjovsky & Bottou 2017). [B, ...].

    Give both players the same sigma, on real and on fake, and anneal it to zero.
    """
    return x + sigma * keys.normal(keys.named(key, "instance_noise"), *x.shape).astype(x.dtype)
