"""How alike pairs of columns of real and made rows hang together (sdmetrics' CorrelationSimilarity and
ContingencySimilarity): 1 - half the difference of two correlations, or 1 - the total variation distance of two
contingency tables, where numbers beside a category fall into ten bins of one width. 1: alike."""

import itertools

import numpy as np

from gen_jax.metrics.rows import Kinds

BINS = 10


def pair_trends(real: np.ndarray, made: np.ndarray, kinds: Kinds) -> dict[tuple[int, int], float]:
    """(column, column) -> similarity, of rows [N, D] and [M, D]; NaN where a correlation is not defined."""
    found, edges = {}, {place: _edges(real[:, place]) for place in kinds.numbers()}
    real_codes, made_codes = (
        [_codes(part[:, place], edges.get(place)) for place in range(part.shape[1])] for part in (real, made)
    )
    for one, other in itertools.combinations(range(real.shape[1]), 2):
        if one in edges and other in edges:
            found[one, other] = correlation(real[:, [one, other]], made[:, [one, other]])
        else:
            left, right = ((codes[one], codes[other]) for codes in (real_codes, made_codes))
            found[one, other] = contingency(left, right)
    return found


def correlation(real: np.ndarray, made: np.ndarray) -> float:
    """Of two columns [N, 2] each: 1 - |r - r'| / 2 with Pearson's r over rows that have both values."""
    coefficients = []
    for part in (real, made):
        part = part[~np.isnan(part).any(axis=1)]
        if len(part) < 2 or (part == part[0]).all(axis=0).any():
            return float("nan")
        coefficients.append(np.corrcoef(part.T)[0, 1])
    return float(1.0 - abs(coefficients[0] - coefficients[1]) / 2.0)


def contingency(real: tuple[np.ndarray, np.ndarray], made: tuple[np.ndarray, np.ndarray]) -> float:
    """Of two columns of whole numbers each."""
    wide = 1 + max(int(column.max(initial=0)) for column in (*real, *made))
    tables = [np.bincount(a * wide + b, minlength=wide * wide) / max(len(a), 1) for a, b in (real, made)]
    return float(1.0 - 0.5 * np.abs(tables[0] - tables[1]).sum())


def _edges(column: np.ndarray) -> np.ndarray:
    there = column[~np.isnan(column)]
    return np.histogram_bin_edges(there, BINS) if there.size else np.array([0.0, 1.0])


def _codes(column: np.ndarray, edges: np.ndarray | None) -> np.ndarray:
    """Whole numbers from 0 on: 0 where missing, 1 of a category that train rows do not have."""
    if edges is not None:  # beyond the real range lies one more bin on each side
        codes = 1 + np.digitize(column, edges) - (column == edges[-1])
        return np.where(np.isnan(column), 0, codes).astype(np.int64)
    return np.where(np.isnan(column), 0, np.nan_to_num(column) + 2).astype(np.int64)
