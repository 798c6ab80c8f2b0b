"""What made rows are good for: models that learn from them alone, tested on real rows (TSTR)."""

import warnings
from typing import Any

import numpy as np

from gen_jax.core.threads import one_thread
from gen_jax.metrics.rows import Kinds, features, without

MOST_CATEGORIES = 250  # of a column that boosted trees take as categories; they allow 255


def utility(
    train: np.ndarray, test: np.ndarray, kinds: Kinds, target: int, seed: int = 0, linear: bool = True
) -> dict[str, float]:
    """Scores by name, of rows [N, D] to learn from and real ones [M, D] to test on.

    Of a target of categories macro-F1 and accuracy, of one of numbers R², of boosted trees and (with `linear`) of a
    logistic or ridge regression. Rows whose target is missing, or a category that train rows do not have, are left out.
    """
    classes = kinds.categories[target]
    train, test = (
        part[~np.isnan(part[:, target]) & ~((part[:, target] < 0) & bool(classes))] for part in (train, test)
    )
    (x, own), (rest, _) = without(train, kinds, target), without(test, kinds, target)
    y, truth = train[:, target], test[:, target]
    found = {}
    for name, guess in (("trees", _trees), ("linear", _linear)) if linear else (("trees", _trees),):
        with warnings.catch_warnings(), one_thread():
            warnings.simplefilter("ignore")  # that a fit has not come to rest
            answer = guess(x, y, rest, own, bool(classes), seed)
        found |= {f"{score} ({name})": value for score, value in _scores(truth, answer, bool(classes)).items()}
    return found


def _trees(x: np.ndarray, y: np.ndarray, rest: np.ndarray, kinds: Kinds, classes: bool, seed: int) -> np.ndarray:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    if _only(y):
        return np.full(len(rest), y[0])
    marked = [0 < count <= MOST_CATEGORIES for count in kinds.categories]
    x, rest = (np.where(marked & (part < 0), np.nan, part) for part in (x, rest))  # unknown is as missing
    kind: Any = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    return kind(categorical_features=marked, random_state=seed).fit(x, y).predict(rest)


def _linear(x: np.ndarray, y: np.ndarray, rest: np.ndarray, kinds: Kinds, classes: bool, seed: int) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression, Ridge

    if _only(y):
        return np.full(len(rest), y[0])
    vectors = features(x, kinds)
    model: Any = LogisticRegression(max_iter=200) if classes else Ridge()
    return model.fit(vectors(x), y).predict(vectors(rest))


def _only(y: np.ndarray) -> bool:
    """Whether there is one answer: a model that collapsed gives one class."""
    return len(np.unique(y)) < 2


def _scores(truth: np.ndarray, answer: np.ndarray, classes: bool) -> dict[str, float]:
    from sklearn.metrics import accuracy_score, f1_score, r2_score

    if not classes:
        return {"R²": float(r2_score(truth, answer))}
    return {
        "macro-F1": float(f1_score(truth, answer, average="macro")),
        "accuracy": float(accuracy_score(truth, answer)),
    }
