"""Examples of a split in batches of one shape, dealt out to all devices and processes."""

from collections.abc import Iterator, Sequence

import jax
import numpy as np

from gen_jax.core import dealing
from gen_jax.core.types import Array, Tree, Weights
from gen_jax.data.feed import to_batch
from gen_jax.data.source import Split


def in_batches(
    compiled: dealing.ByDevice,
    weights: Weights,
    split: Split,
    rows: np.ndarray,
    size: int,
    *,
    key: Array | None = None,
    more: tuple = (),
) -> Tree:
    """`function(weights, batch)` of these examples, or `function(weights, batch, key of the batch, *more)`; leaves
    [N, ...] on the host. `compiled`: the function, as `dealing.by_device` makes it.

    Batches have `size` rows, the last filled up with repeats, which are dropped again. A batch's key is `key`, with its
    number folded in.
    """

    def asked(numbers: Sequence[int]) -> Iterator[tuple]:
        for number in numbers:
            batch = to_batch(split.read(np.resize(rows[number * size : (number + 1) * size], size)))
            yield (batch,) if key is None else (batch, jax.random.fold_in(key, number), *more)

    made = dealing.over_processes(-(-len(rows) // size), lambda numbers: compiled(weights, asked(numbers)))
    return jax.tree.map(lambda *parts: np.concatenate(parts)[: len(rows)], *made)
