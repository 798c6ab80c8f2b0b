"""Training by sampling (Xu et al. 2019, section 4.3): rows of a table drawn such that rare categories are seen.

A column of categories is drawn, each as likely; a category of it, by the logarithm of its number; a row that has it,
each as likely. Row i then comes with probability sum_c p_c(category of i) / n_c(category of i) / columns, which is a
weight a row: the stream "weighted" draws by it, and the column that a row came by is drawn afterwards, by its share of
that sum, on the device (`models.ctgan`).
"""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from gen_jax.data.source import Source, whole
from gen_jax.data.weighted import weighted

STREAM = "weighted"
T = TypeVar("T", bound=Source)


class Frequencies(NamedTuple):
    """Of one column: of its categories in order, and after them of what is missing, where train rows miss some."""

    counts: np.ndarray  # int64 [K]
    chances: np.ndarray  # float64 [K], by log(1 + count): what training draws by


def of_column(codes: np.ndarray, categories: int) -> Frequencies:
    """codes: float [N], NaN where missing."""
    gaps = np.isnan(codes)
    counts = np.bincount(codes[~gaps].astype(np.int64), minlength=categories)
    counts = np.append(counts, gaps.sum()) if gaps.any() else counts
    logs = np.log1p(counts)
    return Frequencies(counts, logs / logs.sum())


def shares(x: np.ndarray, categories: Sequence[bool]) -> np.ndarray:
    """float64 [N, C]: of each row and column of categories, how likely training draws the row by that column."""
    found = []
    for place in np.flatnonzero(categories):
        codes = np.asarray(x[:, place], np.float64)
        known = codes[~np.isnan(codes)]
        of = of_column(codes, int(known.max()) + 1 if known.size else 0)
        each = of.chances / np.maximum(of.counts, 1)
        found.append(each[np.where(np.isnan(codes), len(each) - 1, np.nan_to_num(codes)).astype(np.int64)])
    return np.stack(found, axis=1) / len(found)


def with_stream(data: T, categories: Sequence[bool]) -> T:
    """The data with the stream "weighted" beside its own; the fingerprint says nothing of it, since it follows."""
    made = weighted(data, shares(whole(data.train)["x"], categories).sum(axis=1), STREAM)
    return dataclasses.replace(made, fingerprint=data.fingerprint)  # pyright: ignore[reportReturnType]
