"""Training by sampling: a stream whose examples are drawn by weight, with replacement, beside the shuffled "train".

For classes or rare values that a uniform stream hardly shows (CTGAN: Xu et al. 2019, section 4.3), and for importance
weights. A phase with `draws="weighted"` sees it.
"""

import dataclasses

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.data import order
from gen_jax.data.source import Source, digest, whole


def weighted(data: Source, weights: np.ndarray, stream: str = "weighted") -> Source:
    """The data with one more stream: train example i is drawn with probability weights[i] / sum(weights).

    weights: float [train size]. Nothing is copied on the host; resident data are held a second time on the device.
    Raises UserError unless there is one weight an example, each finite and not negative, and not all 0.
    """
    weights = np.asarray(weights, np.float64)
    if weights.shape != (data.train.size,):
        raise UserError(f"weights are {list(weights.shape)}; {data.name} has {data.train.size} train examples")
    if not np.isfinite(weights).all() or (weights < 0).any() or not weights.sum() > 0:
        raise UserError("weights must be finite, at least 0, and not all 0")
    split = dataclasses.replace(data.train, thresholds=order.thresholds_of(weights))
    fingerprint = digest(data.fingerprint, stream, split.thresholds)
    return dataclasses.replace(data, fingerprint=fingerprint, others={**data.others, stream: split})


def balanced(data: Source, stream: str = "weighted") -> Source:
    """`weighted` such that every class that the train split has comes equally often. UserError without labels."""
    if data.classes is None:
        raise UserError(f"{data.name} has no labels to balance; use labelled data such as mnist5k")
    labels = whole(data.train)["label"]
    counts = np.bincount(labels[labels >= 0], minlength=data.classes)
    shares = np.where(labels < 0, 0.0, 1.0 / np.maximum(counts, 1)[labels])
    return weighted(data, shares, stream)
