"""Scores that need labels: accuracy, anomaly ranking, clustering, and classification accuracy score both ways."""

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


class Ranking(NamedTuple):
    """Area under the ROC curve, and average precision with anomalies as the positives."""

    auroc: float
    auprc: float


def ranking(scores, anomalous) -> Ranking:
    """How well anomaly scores [N] (higher is stranger) rank the anomalous [N] (bool). AUPRC depends on their share."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    anomalous = np.asarray(anomalous, bool)
    if anomalous.all() or not anomalous.any():
        raise UserError("AUROC needs both normal and anomalous examples")
    return Ranking(float(roc_auc_score(anomalous, scores)), float(average_precision_score(anomalous, scores)))


class Clustering(NamedTuple):
    """Accuracy under the best one-to-one matching, normalised mutual information, adjusted Rand index."""

    accuracy: float
    nmi: float
    ari: float


def clustering(clusters, labels) -> Clustering:
    """Agreement of cluster numbers [N] with labels [N]. More clusters than classes leave the surplus unmatched."""
    from scipy.optimize import linear_sum_assignment
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
    from sklearn.metrics.cluster import contingency_matrix

    table = contingency_matrix(labels, clusters)
    rows, columns = linear_sum_assignment(table, maximize=True)
    return Clustering(
        float(table[rows, columns].sum() / table.sum()),
        float(normalized_mutual_info_score(labels, clusters)),
        float(adjusted_rand_score(labels, clusters)),
    )


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
