"""How clusters agree with classes that nobody showed them: accuracy under the best matching, NMI and ARI."""

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.metrics.intervals import Interval, wilson_interval


def _pair(groups, labels) -> tuple[np.ndarray, np.ndarray]:
    groups, labels = np.asarray(groups), np.asarray(labels)
    if groups.shape != labels.shape or groups.ndim != 1 or not len(groups):
        raise UserError(f"clusters are compared example by example: {groups.shape} clusters for {labels.shape} labels")
    if (groups < 0).any() or (labels < 0).any():
        raise UserError("clusters and classes are numbers from 0 on; leave examples without a label out")
    return groups, labels


def matching(groups, labels) -> np.ndarray:
    """Class of each cluster, int [clusters]: the one-to-one matching with the most examples right (Kuhn 1955).

    Clusters beyond the classes are matched to none, -1.
    """
    from scipy.optimize import linear_sum_assignment

    groups, labels = _pair(groups, labels)
    counts = np.zeros((groups.max() + 1, labels.max() + 1), np.int64)
    np.add.at(counts, (groups, labels), 1)
    rows, columns = linear_sum_assignment(counts, maximize=True)
    found = np.full(len(counts), -1)
    found[rows] = columns
    return found


def accuracy(groups, labels, confidence: float = 0.95) -> Interval:
    """ACC: the share of examples [N] whose cluster is matched to their class, with Wilson's interval at that matching.

    The matching is chosen on the same examples, so that with many clusters and few examples it flatters.
    """
    groups, labels = _pair(groups, labels)
    right = matching(groups, labels)[groups] == labels
    return wilson_interval(int(right.sum()), len(labels), confidence)


def normalised_mutual_information(groups, labels) -> float:
    """I(groups; labels) over the arithmetic mean of their entropies (scikit-learn's default), in [0, 1]."""
    from sklearn.metrics import normalized_mutual_info_score

    return float(normalized_mutual_info_score(*_pair(groups, labels)[::-1]))


def adjusted_rand_index(groups, labels) -> float:
    """Agreement on pairs beyond chance: 0 for random clusters, 1 for the same partition (Hubert & Arabie 1985)."""
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(*_pair(groups, labels)[::-1]))
