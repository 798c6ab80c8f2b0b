"""Poisson batches: every training example is in every batch by chance, and by itself, as private training needs it.

An accountant of differential privacy counts on it (`core.accounting`); shuffled epochs are no such thing. The number of
examples in a batch varies, and arrays do not: `batch_size` rows are held, the probability is chosen such that a batch
almost never needs more (`OVERFLOW`), and rows that hold none are marked.
"""

import dataclasses
import math

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.core.types import PRESENT
from gen_jax.data.source import Source, Split, digest

STREAM = "private"
OVERFLOW = 1e-18  # the probability that a batch has more examples than rows: it would have to be cut
WORDS = 2.0**32


def poisson(data: Source, batch_size: int) -> Source:
    """The data with the stream "private": "train" in Poisson batches of `batch_size` rows.

    Raises UserError where so few rows can hold no such batch.
    """
    threshold = np.uint32(int(rate_for(batch_size, data.train.size) * WORDS))
    train = data.train

    def read(indices: np.ndarray) -> dict[str, np.ndarray]:
        return {**train.read(indices), PRESENT: np.ones(len(indices), np.float32)}

    arrays = train.arrays and {**train.arrays, PRESENT: np.ones(train.size, np.float32)}
    split = Split(train.size, read, train.nbytes + 4 * train.size, arrays, poisson=threshold)
    fingerprint = digest(data.fingerprint, "poisson", int(threshold))
    return dataclasses.replace(data, fingerprint=fingerprint, others={**data.others, STREAM: split})


def rate(data: Source) -> float:
    """The probability that an example is in a batch of the stream "private"."""
    threshold = data.split(STREAM).poisson
    assert threshold is not None
    return int(threshold) / WORDS


def rate_for(batch_size: int, size: int) -> float:
    """The largest probability with which more than `batch_size` of `size` examples are drawn at most once in 1/OVERFLOW
    batches. Raises UserError where it would be below 1 / size: batches that are mostly empty."""
    from scipy.stats import binom

    low, high = 0.0, min(1.0, batch_size / size)
    if batch_size >= size:
        return 1.0 - 1.0 / WORDS
    while high - low > 1e-6 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if binom.sf(batch_size, size, middle) <= OVERFLOW else (low, middle)
    if low * size < 1.0:
        least = next(rows for rows in range(batch_size, size + 1) if _holds(rows, size))
        raise UserError(f"--batch-size {batch_size}: Poisson batches need more rows; use {max(least, 32)} or more")
    return low


def _holds(rows: int, size: int) -> bool:
    from scipy.stats import binom

    return bool(binom.sf(rows, size, 1.0 / size) <= OVERFLOW)


def expected(data: Source) -> float:
    """How many examples a batch is expected to hold, which gradients are divided by."""
    return rate(data) * data.train.size


def rows_for(count: float, size: int) -> int:
    """How many rows it takes for batches of `count` expected examples: the inverse of `rate_for`."""
    rows = math.ceil(count)
    while rate_for(rows, size) * size < count:
        rows += max(1, rows // 64)
    return rows
