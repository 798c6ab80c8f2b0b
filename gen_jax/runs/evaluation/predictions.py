"""What a model says of single examples: of which class each is (`classify`)."""

from typing import Any

import numpy as np

from gen_jax.core import dealing
from gen_jax.core.errors import UserError
from gen_jax.metrics import classification
from gen_jax.runs.batches import in_batches
from gen_jax.runs.evaluation.metric import Metric, Value, of_proportion
from gen_jax.runs.evaluation.subject import Subject

BATCH = 250


# ---- classes ---------------------------------------------------------------------------------------------------------
def _labels(subject: Subject, metric: str) -> np.ndarray:
    """Labels of the whole reference, -1 where one is not known."""
    if subject.source.classes is None:
        raise UserError(f"{metric} needs labelled data, and {subject.source.name} has no labels")
    if "labels" not in subject.memory:
        split = subject.split
        parts = [
            split.read(np.arange(start, min(start + BATCH, split.size)))["label"]
            for start in range(0, split.size, BATCH)
        ]
        subject.memory["labels"] = np.concatenate(parts)
    return subject.memory["labels"]


def _check_accuracy(subject: Subject) -> None:
    subject.need("classify", "accuracy")
    if not (_labels(subject, "accuracy") >= 0).any():
        raise UserError(f"accuracy needs labels, and {subject.options.reference} tells none; use --reference test")


def _accuracy_stamp(subject: Subject) -> dict[str, Any]:
    known = int((_labels(subject, "accuracy") >= 0).sum())
    return {"reference": subject.options.reference, "examples": known}


def _accuracy(subject: Subject) -> list[Value]:
    classify, labels = dealing.by_device(subject.need("classify", "accuracy")), _labels(subject, "accuracy")
    rows = np.flatnonzero(labels >= 0)
    logits = in_batches(classify, subject.weights, subject.split, rows, BATCH)
    return [of_proportion("accuracy", classification.accuracy(logits, labels[rows]))]


ACCURACY = Metric(_check_accuracy, _accuracy_stamp, _accuracy)
