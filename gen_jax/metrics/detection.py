"""Can a logistic regression tell made rows from real ones? AUC over three folds; .5: it cannot."""

import warnings

import numpy as np

from gen_jax.core.threads import one_thread
from gen_jax.metrics.rows import Features

FOLDS = 3


def detection(real: np.ndarray, made: np.ndarray, features: Features, seed: int = 0) -> float:
    """The area under the ROC curve, of rows [N, D] and [M, D], each scored by a model that did not learn from it."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    x = np.concatenate([features(real), features(made)])
    y = np.repeat([0, 1], [len(real), len(made)])
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    with warnings.catch_warnings(), one_thread():
        warnings.simplefilter("ignore")  # that the fit has not come to rest
        scores = cross_val_predict(LogisticRegression(max_iter=200), x, y, cv=folds, method="decision_function")
    return float(roc_auc_score(y, np.asarray(scores)))
