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


def average_precision(scores, anomalous, resamples: int = 500, seed: int = 0) -> Interval:
    """`auprc` with a bootstrap interval: normal and anomalous examples are resampled each among themselves."""
    return _bootstrapped(auprc, scores, anomalous, resamples, seed)


def false_alarms(scores, anomalous, recall: float = 0.95, resamples: int = 500, seed: int = 0) -> Interval:
    """The share of normal examples that score as high as the `recall` highest of the anomalous do, or higher ("FPR at
    95 % TPR": Liang et al. 2018), with a bootstrap interval as by `average_precision`.
    """

    def share(scores: np.ndarray, anomalous: np.ndarray) -> float:
        positive = np.sort(scores[anomalous])
        threshold = positive[len(positive) - math.ceil(recall * len(positive))]
        return float((scores[~anomalous] >= threshold).mean())

    return _bootstrapped(share, scores, anomalous, resamples, seed)


def _bootstrapped(statistic: Callable, scores, anomalous, resamples: int, seed: int) -> Interval:
    """The statistic with its 95 % percentile interval over both kinds of examples."""
    scores, anomalous = np.asarray(scores, np.float64), _both(anomalous)
    random, parts = np.random.default_rng(seed), (scores[~anomalous], scores[anomalous])
    kind = np.arange(len(scores)) >= len(parts[0])
    found = [
        statistic(np.concatenate([random.choice(part, len(part)) for part in parts]), kind) for _ in range(resamples)
    ]
    low, high = np.quantile(found, [0.025, 0.975])
    return Interval(float(statistic(scores, anomalous)), float(low), float(high), len(scores))


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
