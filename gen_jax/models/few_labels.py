"""What models that learn from few labels share: the stream of the labelled, and their cross-entropy."""

import jax
import jax.numpy as jnp

from gen_jax.core.types import Array

STREAM = "labelled"  # where the labelled examples come from; "train" tells no label


def cross_entropy(logits: Array, label: Array) -> Array:
    """-log p(label) of each row in nats: logits [B, K], label int [B] -> [B]."""
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), label[:, None], axis=-1)[:, 0]


def right(logits: Array, label: Array) -> Array:
    """Share of rows that are named right, a scalar."""
    return (logits.argmax(axis=-1) == label).astype(jnp.float32).mean()
