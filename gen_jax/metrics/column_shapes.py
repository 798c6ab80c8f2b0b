"""How alike single columns of real and made rows are: 1 minus the largest difference of two distribution functions, or
half the summed difference of shares (sdmetrics' KSComplement and TVComplement). 1: alike; 0: disjoint."""

import numpy as np

from gen_jax.metrics.rows import Kinds


def column_shapes(real: np.ndarray, made: np.ndarray, kinds: Kinds) -> np.ndarray:
    """float64 [D]: of rows [N, D] and [M, D]. What is missing is left out; NaN where nothing is left."""
    pairs = ((real[:, place], made[:, place]) for place in range(real.shape[1]))
    return np.array([tv(*pair) if count else ks(*pair) for pair, count in zip(pairs, kinds.categories, strict=True)])


def ks(real: np.ndarray, made: np.ndarray) -> float:
    """1 - Kolmogorov-Smirnov statistic of two samples; NaN where one is empty."""
    real, made = (np.sort(part[~np.isnan(part)]) for part in (real, made))
    if not len(real) or not len(made):
        return float("nan")
    at = np.concatenate([real, made])
    below = [np.searchsorted(part, at, side="right") / len(part) for part in (real, made)]
    return float(1.0 - np.abs(below[0] - below[1]).max())


def tv(real: np.ndarray, made: np.ndarray) -> float:
    """1 - total variation distance of the shares of values."""
    real, made = (part[~np.isnan(part)] for part in (real, made))
    if not len(real) or not len(made):
        return float("nan")
    values = np.unique(np.concatenate([real, made]))
    shares = [np.array([(part == value).mean() for value in values]) for part in (real, made)]
    return float(1.0 - 0.5 * np.abs(shares[0] - shares[1]).sum())
