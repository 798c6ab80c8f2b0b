"""Rows of a table for measures: float [N, D], numbers in any unit, categories by number, NaN where missing."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Kinds(NamedTuple):
    """How many categories each column has; 0: it holds numbers."""

    categories: tuple[int, ...]

    def numbers(self) -> list[int]:
        return [place for place, count in enumerate(self.categories) if not count]


class Features(NamedTuple):
    """The way from rows to vectors, fitted on real train rows: numbers over their deviation, 0 where missing, and a
    mark where they are; categories one-hot, none where missing or unknown."""

    kinds: Kinds
    mean: np.ndarray
    scale: np.ndarray
    gaps: np.ndarray  # bool [D]: columns of numbers that have a mark

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """float32 [N, F]."""
        parts = []
        for place, count in enumerate(self.kinds.categories):
            column = values[:, place]
            if count:
                parts.append(column[:, None] == np.arange(count))
                continue
            missing = np.isnan(column)
            parts.append(np.where(missing, 0.0, (column - self.mean[place]) / self.scale[place])[:, None])
            if self.gaps[place]:
                parts.append(missing[:, None])
        return np.concatenate([np.asarray(part, np.float32) for part in parts], axis=1)


def features(train: np.ndarray, kinds: Kinds) -> Features:
    mean, scale, gaps = np.zeros(train.shape[1]), np.ones(train.shape[1]), np.atleast_1d(np.isnan(train).any(axis=0))
    for place in kinds.numbers():
        column = train[:, place][~np.isnan(train[:, place])]
        if column.size:
            mean[place], deviation = column.mean(), column.std()
            scale[place] = deviation if deviation > 0 else 1.0
    return Features(kinds, mean, scale, gaps)


def without(values: np.ndarray, kinds: Kinds, column: int) -> tuple[np.ndarray, Kinds]:
    """The rows without a column."""
    kept = [place for place in range(values.shape[1]) if place != column]
    return values[:, kept], Kinds(tuple(kinds.categories[place] for place in kept))


def some(values: np.ndarray, most: int, seed: int) -> np.ndarray:
    """At most so many rows, drawn without replacement."""
    if len(values) <= most:
        return values
    return values[np.sort(np.random.default_rng(seed).permutation(len(values))[:most])]


def mean_of(values: Sequence[float]) -> float:
    """The mean of those that are defined; NaN where none is."""
    there = [value for value in values if value == value]
    return float(np.mean(there)) if there else float("nan")
