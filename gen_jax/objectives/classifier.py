"""The auxiliary classifier of AC-GAN (Odena et al. 2017): both players want labels to be recovered from images."""

import jax
import jax.numpy as jnp


def cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """-E log p(label | x), nats: logits [B, classes], labels int [B] -> scalar, mean over this instance's rows.

    L_C of the paper for one batch: AC-GAN's players each add it for the real and for the fake batch.
    """
    log_probabilities = jax.nn.log_softmax(logits, axis=-1)
    return -jnp.mean(jnp.take_along_axis(log_probabilities, labels[:, None], axis=-1))


def accuracy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Share of rows whose largest logit is the label's: logits [B, classes], labels int [B] -> scalar in [0, 1]."""
    return jnp.mean((jnp.argmax(logits, axis=-1) == labels).astype(jnp.float32))
