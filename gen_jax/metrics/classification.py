"""Scores that need labels: accuracy, anomaly ranking, and classification accuracy score both ways."""

import math
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.metrics.intervals import Interval, wilson_interval

Predict: TypeAlias = Callable[[np.ndarray], np.ndarray]  # images -> labels [N]
Train: TypeAlias = Callable[[np.ndarray, np.ndarray], Predict]  # (images, labels) -> a trained classifier


def accuracy(predicted, labels, confidence: float = 0.95) -> Interval:
    """Fraction of predicted labels [N] (or class logits [N, K]) that are right, with Wilson's interval."""
    predicted, labels = np.asarray(predicted), np.asarray(labels)
    predicted = predicted.argmax(axis=-1) if predicted.ndim == 2 else predicted
    if predicted.shape != labels.shape:
        raise UserError(f"{len(predicted)} predictions for {len(labels)} labels")
    return wilson_interval(int((predicted == labels).sum()), len(labels), confidence)


def _both(anomalous) -> np.ndarray:
    anomalous = np.asarray(anomalous, bool)
    if anomalous.all() or not anomalous.any():
        raise UserError("a ranking needs both normal and anomalous examples, and these are of one kind alone")
    return anomalous


def auroc(scores, anomalous, confidence: float = 0.95) -> Interval:
    """Area under the ROC curve of anomaly scores [N] (higher is stranger) for the anomalous [N] (bool).

    The probability that an anomalous example has the higher score, ties half. The interval is DeLong's (1988), normal
    with the variance of both sides' placements, cut to [0, 1]; it has no ends where every pair, or none, is in order,
    which leaves that variance 0.
    """
    from scipy.stats import norm, rankdata

    scores, anomalous = np.asarray(scores, np.float64), _both(anomalous)
    positive, negative = scores[anomalous], scores[~anomalous]
    m, n = len(positive), len(negative)
    ranks = rankdata(np.concatenate([positive, negative]))
    above = (ranks[:m] - rankdata(positive)) / n  # of each positive: share of negatives below it
    below = 1 - (ranks[m:] - rankdata(negative)) / m  # of each negative: share of positives above it
    area = float(above.mean())
    variance = sum(side.var(ddof=1) / len(side) if len(side) > 1 else math.nan for side in (above, below))
    if not variance > 0:
        return Interval(area, math.nan, math.nan, len(scores))
    half = float(norm.ppf((1 + confidence) / 2) * math.sqrt(variance))
    return Interval(area, max(area - half, 0.0), min(area + half, 1.0), len(scores))


def auprc(scores, anomalous) -> float:
    """Average precision with the anomalous as the positives. It depends on their share."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(_both(anomalous), scores))


class ClassificationScores(NamedTuple):
    """Accuracies with intervals.

    `train_generated`: trained on generated, tested on real (CAS, Ravuri & Vinyals 2019, arXiv:1905.10887; recall-like).
    `train_real`: trained on real, tested on generated (GAN-test, Shmelkov et al. 2018, arXiv:1807.09499;
    precision-like). `reference`: trained on real, tested on real.
    """

    train_generated: Interval
    train_real: Interval
    reference: Interval


def classification_scores(train: Train, real_train, real_test, generated) -> ClassificationScores:
    """Both directions with the same training function; each data argument is a pair (images [N, ...], labels [N]).

    Use as many generated as real training images, or say so: CAS grows with their number.
    """
    on_real, on_generated = train(*real_train), train(*generated)
    return ClassificationScores(
        accuracy(on_generated(real_test[0]), real_test[1]),
        accuracy(on_real(generated[0]), generated[1]),
        accuracy(on_real(real_test[0]), real_test[1]),
    )
