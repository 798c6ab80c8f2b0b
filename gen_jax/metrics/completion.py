"""How good completions are: errors, intervals and spread over hidden cells alone.

Arrays are [N, *event]; `hidden` is True in cells that were not shown and whose truth is known; draws are
[M, N, *event], M completions of each example.
"""

import numpy as np

from gen_jax.core.errors import UserError

RANGE = 2.0  # of images in [-1, 1]


def nrmse(truth: np.ndarray, guess: np.ndarray, hidden: np.ndarray) -> float:
    """Root mean squared error by the deviation of what is known, a column at a time, and the mean over the columns that
    have a hidden cell (Ivanov et al. 2019, section 5). Pixels of images are one column."""
    if truth.ndim > 2:
        truth, guess, hidden = (part.reshape(-1, 1) for part in (truth, guess, hidden))
    errors = []
    for column in np.flatnonzero(hidden.any(axis=0)):
        chosen, known = hidden[:, column], truth[:, column][np.isfinite(truth[:, column])].astype(np.float64)
        error = (guess[chosen, column] - truth[chosen, column]).astype(np.float64)
        spread = known.std()
        errors.append(np.sqrt(np.mean(error**2)) / (spread if spread > 0 else 1.0))
    if not errors:
        raise UserError("no cell whose value is known was hidden: there is nothing to compare")
    return float(np.mean(errors))


def psnr(truth: np.ndarray, guess: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """10 log10(range² / mean squared error) of each image over its hidden cells, in dB: [n], of those that have any."""
    found = []
    for one, other, cells in zip(truth, guess, hidden, strict=True):
        if cells.any():
            error = np.mean((other[cells] - one[cells]).astype(np.float64) ** 2)
            found.append(10 * np.log10(RANGE**2 / max(error, 1e-12)))
    return np.array(found)


def inside(truth: np.ndarray, draws: np.ndarray, hidden: np.ndarray, level: float = 0.9) -> np.ndarray:
    """Share of each example's hidden cells whose truth is in the central interval of the draws: [n]."""
    low, high = np.quantile(draws, ((1 - level) / 2, (1 + level) / 2), axis=0)
    held = (low <= truth) & (truth <= high)
    return np.array([one[cells].mean() for one, cells in zip(held, hidden, strict=True) if cells.any()])


def spread(draws: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Standard deviation over draws, mean over each example's hidden cells: [n]. 0: one answer, however open."""
    deviation = draws.astype(np.float64).std(axis=0)
    return np.array([one[cells].mean() for one, cells in zip(deviation, hidden, strict=True) if cells.any()])
