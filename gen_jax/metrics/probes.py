"""What features know of classes: a linear probe and the nearest neighbour, both fitted to train and asked of test."""

import warnings

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.core.threads import one_thread
from gen_jax.metrics.maps import neighbour_labels


@one_thread()
def linear_probe(train, labels, test, seed: int = 0) -> np.ndarray:
    """Labels [N] of test features [N, D] by logistic regression (L2, C = 1) of train features [M, D], standardised by
    train. UserError where train has a single class."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    _check(labels)
    train, test = (np.asarray(x, np.float64).reshape(len(x), -1) for x in (train, test))
    mean, spread = train.mean(axis=0), train.std(axis=0)
    spread[spread < 1e-8] = 1.0  # a pixel that never changes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 300 steps of a convex problem are the probe
        fitted = LogisticRegression(max_iter=300, random_state=seed).fit((train - mean) / spread, labels)
    return fitted.predict((test - mean) / spread)


def nearest_neighbour(train, labels, test) -> np.ndarray:
    """Labels [N] of the nearest of train features [M, D] to test features [N, D], Euclidean."""
    _check(labels)
    return neighbour_labels(test, train, labels, 1)


def _check(labels) -> None:
    if len(np.unique(labels)) < 2:
        raise UserError("a probe tells classes apart, and its training examples are of one")
