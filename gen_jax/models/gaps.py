"""What models that complete share: which cells have a value, which of them are shown, and the way back.

x is [B, H, W, C] of images or [B, D] of rows of a table, and NaN where a value is missing; a mask is [B, H, W, 1] or
[B, D], 1 where a model is shown the cell. What is not shown never reaches a network: it is replaced, not multiplied.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp

from gen_jax.core.errors import UserError
from gen_jax.core.types import Array, Batch

Masks = Callable[[Array, Array], Array]  # (key, x [B, *event]) -> mask, such as `functools.partial(masks.draw, family)`
GIVEN = ("x", "mask")


class Seen(NamedTuple):
    """A batch as a model may look at it."""

    x: Array  # 0 where there is no value
    known: Array  # 1 where there is one, in the shape of a mask
    shown: Array  # 1 where there is one and the model is shown it

    @property
    def condition(self) -> Array:
        """What is shown, and which cells these are, side by side: [B, H, W, C + 1] or [B, 2 D]."""
        return jnp.concatenate([jnp.where(self.shown != 0, self.x, 0.0), self.shown], axis=-1)

    @property
    def hidden(self) -> Array:
        """1 where there is a value that the model is not shown."""
        return self.known * (1.0 - self.shown)


def cells(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of one mask."""
    return (*shape[:-1], 1) if len(shape) > 1 else shape


def look(batch: Batch, mask: Array | None = None) -> Seen:
    """The batch with its own "mask", or with `mask`; all that is known is shown where there is neither.

    Raises UserError for a mask of another shape.
    """
    x = batch["x"]
    values = ~jnp.isnan(x)
    known = values if x.ndim == 2 else values.all(axis=-1, keepdims=True)
    known = known.astype(jnp.float32)
    mask = batch.get("mask") if mask is None else mask
    if mask is None:
        return Seen(jnp.where(known != 0, x, 0.0), known, known)
    if mask.shape != known.shape:
        raise UserError(f"the mask is {list(mask.shape)}; of x {list(x.shape)} it is {list(known.shape)}")
    return Seen(jnp.where(known != 0, x, 0.0), known, known * (mask != 0))


def asked(given: Mapping[str, Array]) -> Seen:
    """What a sampler is given to complete: "x" and "mask". Raises UserError where one is not there."""
    if missing := [name for name in GIVEN if name not in given]:
        raise UserError(f"to complete x, give {' and '.join(missing)}")
    return look(given)


def nothing(count: int, shape: tuple[int, ...]) -> Seen:
    """`count` examples of which nothing is known."""
    empty = jnp.zeros((count, *cells(shape)))
    return Seen(jnp.zeros((count, *shape)), empty, empty)


def filled(seen: Seen, values: Array) -> Array:
    """What is shown as it is, `values` elsewhere."""
    return jnp.where(seen.shown != 0, seen.x, values)


def mean_over(samples: int, draw: Callable[[Array], Array]) -> Array:
    """The mean of draw(number) over so many numbers, in the memory of one."""
    if samples < 1:
        raise UserError(f"the mean of {samples} completions: ask for 1 or more")
    first = jax.eval_shape(draw, jax.ShapeDtypeStruct((), jnp.int32))
    zero = jnp.zeros(first.shape, first.dtype)
    total, _ = jax.lax.scan(lambda sum_, number: (sum_ + draw(number), None), zero, jnp.arange(samples))
    return total / samples
