"""What is hidden of a table, and how near guesses of it come: masks as published, and scores of hidden cells."""

import numpy as np

from gen_jax.core.errors import UserError


def table(data: str) -> np.ndarray:
    """float64 [N, D] without gaps."""
    if data == "breast_cancer":
        from sklearn.datasets import load_breast_cancer

        return np.asarray(load_breast_cancer(return_X_y=True)[0], np.float64)
    from gen_jax.data import table as tables

    found = tables.read(data.removeprefix("table:"))
    if np.isnan(found.values).any():
        raise UserError(f"{data} has gaps, of which the truth is not known; give a table without")
    return found.values


def hide(values: np.ndarray, missing: float, seed: int) -> np.ndarray:
    """bool [N, D], True where a cell is hidden: as many as the published mask has, drawn as it is."""
    random = np.random.RandomState(seed)
    hidden = np.zeros(values.size, bool)
    hidden[random.choice(values.size, int(np.floor(values.size * missing)), replace=False)] = True
    return hidden.reshape(values.shape)


def parts(rows: int, protocol: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(rows to fit on, rows to complete)."""
    if protocol == "whole":
        return np.arange(rows), np.arange(rows)
    shuffled = np.random.RandomState(seed).permutation(rows)
    return np.sort(shuffled[: rows * 7 // 10]), np.sort(shuffled[rows * 7 // 10 :])


def scores(
    truth: np.ndarray, hidden: np.ndarray, guess: np.ndarray, draws: np.ndarray | None, values: np.ndarray
) -> dict[str, float]:
    """Of hidden cells; units are those of the whole table, which no method was shown."""
    deviation, span = values.std(axis=0), np.ptp(values, axis=0)
    error = guess - truth
    found = {
        "mse": float(((error / deviation)[hidden] ** 2).mean()),
        "rmse": float(np.sqrt(((error / span)[hidden] ** 2).mean())),
    }
    if draws is not None:
        low, high = np.quantile(draws, (0.05, 0.95), axis=0)
        found["coverage"] = float(((low <= truth) & (truth <= high))[hidden].mean())
        found["width"] = float(((high - low) / deviation)[hidden].mean())
    return found
