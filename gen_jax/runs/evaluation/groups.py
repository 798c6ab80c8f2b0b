"""How the clusters that a model finds (`Algorithm.cluster`) agree with classes that it was not told."""

from typing import Any

import jax
import numpy as np

from gen_jax.core import dealing
from gen_jax.core.errors import UserError
from gen_jax.data.feed import to_batch
from gen_jax.metrics import clusters
from gen_jax.runs.batches import in_batches
from gen_jax.runs.evaluation.metric import Metric, Value, of_proportion
from gen_jax.runs.evaluation.subject import Subject

BATCH = 250


def _labels(subject: Subject) -> np.ndarray:
    if subject.source.classes is None:
        raise UserError(f"clusters are compared with classes, and {subject.source.name} has no labels")
    if "labels" not in subject.memory:
        split = subject.split
        starts = range(0, split.size, BATCH)
        parts = [split.read(np.arange(s, min(s + BATCH, split.size)))["label"] for s in starts]
        subject.memory["labels"] = np.concatenate(parts)
    return subject.memory["labels"]


def _number(subject: Subject) -> int:
    """How many clusters the model has."""
    batch = jax.eval_shape(to_batch, subject.split.read(np.arange(1)))
    return jax.eval_shape(subject.need("cluster", "clusters"), subject.weights, batch).shape[-1]


def check(subject: Subject) -> None:
    number, known = _number(subject), int((_labels(subject) >= 0).sum())
    if not known:
        raise UserError(f"clusters needs labels, and {subject.options.reference} tells none; use --reference test")
    if number > known:
        raise UserError(
            f"this model has {number} clusters, and {subject.options.reference} {known} labelled examples: a matching "
            f"of so few flatters; use data with more, or train with {known} clusters or fewer"
        )


def stamp(subject: Subject) -> dict[str, Any]:
    known = int((_labels(subject) >= 0).sum())
    return {"reference": subject.options.reference, "examples": known, "clusters": _number(subject)}


def compute(subject: Subject) -> list[Value]:
    cluster, labels = dealing.by_device(subject.need("cluster", "clusters")), _labels(subject)
    rows = np.flatnonzero(labels >= 0)
    logits = in_batches(cluster, subject.weights, subject.split, rows, BATCH)
    groups, known = logits.argmax(axis=1), labels[rows]
    used = len(np.unique(groups))
    return [
        of_proportion("clustering accuracy", clusters.accuracy(groups, known))._replace(details={"used": used}),
        Value("NMI", clusters.normalised_mutual_information(groups, known)),
        Value("ARI", clusters.adjusted_rand_index(groups, known)),
    ]


CLUSTERS = Metric(check, stamp, compute)
