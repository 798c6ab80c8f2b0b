"""Drawing a grid of codes from an autoregressive network, place by place in raster order."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from gen_jax.core.types import Array, Tree

LogitsAt = Callable[[Array, Tree, tuple[Array, Array]], tuple[Array, Tree]]


def draw(logits_at: LogitsAt, gumbels: Array) -> Array:
    """Codes int32 [B, h, w].

    logits_at: (codes [B, h, w] so far, what it remembers: {} at first, (row, column)) -> (logits there [B, codes], what
    it remembers now). gumbels: standard Gumbel noise [B, h, w, codes]: the largest of logits and noise is a draw.
    """
    count, height, width, _ = gumbels.shape

    def place(carry: tuple[Array, Tree], position: Array):
        numbers, memory = carry
        at = position // width, position % width
        logits, memory = logits_at(numbers, memory, at)
        chosen = jnp.argmax(logits + gumbels[:, at[0], at[1]], axis=-1).astype(jnp.int32)
        return (numbers.at[:, at[0], at[1]].set(chosen), memory), None

    numbers = jnp.zeros((count, height, width), jnp.int32)
    # What it remembers has its shapes from the first place, which needs nothing that came before.
    started, _ = place((numbers, {}), jnp.int32(0))
    (numbers, _), _ = jax.lax.scan(place, started, jnp.arange(1, height * width))
    return numbers
