"""What a model says of single examples: whether one is strange (`score`), and of which class it is (`classify`)."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from gen_jax.core import keys
from gen_jax.core.errors import UserError
from gen_jax.data import load, reading
from gen_jax.data.source import Split, evenly
from gen_jax.metrics import classification
from gen_jax.runs.evaluation.metric import Metric, Value, of_proportion
from gen_jax.runs.evaluation.subject import KEPT, Subject, in_batches

BATCH = 250
CLASS = "class:"
HOW = "say what is strange: --against DATA (another data set of the same shape), or --against class:NUMBER"


# ---- anomalies -------------------------------------------------------------------------------------------------------
def _sides(subject: Subject) -> Mapping[str, tuple[Split, np.ndarray]]:
    """The "normal" and the "strange" examples, as rows of their splits, spread evenly and at most `KEPT` of each."""
    against, split = subject.options.against, subject.split
    if against is None:
        raise UserError(f"auroc tells other examples from the reference; {HOW}")
    if against.startswith(CLASS):
        labels = _labels(subject, f"auroc --against {against}")
        number = reading.class_number(subject.source, against.removeprefix(CLASS))
        if number is None:
            names = f" ({reading.short(subject.source.names, 12)})" if subject.source.names else ""
            known = f"classes 0 to {(subject.source.classes or 0) - 1}{names}"
            raise UserError(f"--against {against}: {subject.source.name} has {known}")
        rows = {"normal": np.flatnonzero(labels != number), "strange": np.flatnonzero(labels == number)}
        if empty := [name for name, found in rows.items() if not len(found)]:
            raise UserError(f"--against {against}: {subject.options.reference} has no {empty[0]} examples then")
        return {name: (split, found[evenly(len(found), KEPT)]) for name, found in rows.items()}
    if "against" not in subject.memory:
        subject.memory["against"] = load.other(subject.config, against)
    other = subject.memory["against"]
    if other.shape != subject.source.shape:
        raise UserError(
            f"--against {against}: its examples are of shape {other.shape}, and this model's of {subject.source.shape}"
        )
    if other.fingerprint == subject.source.fingerprint:
        raise UserError(f"--against {against}: these are the run's own data, so nothing is strange in them; {HOW}")
    if "label" in subject.algorithm.given and other.classes != subject.source.classes:
        raise UserError(f"--against {against}: this model is given labels, and these data have other classes")
    strange = other.split(subject.options.reference)
    return {
        "normal": (split, evenly(split.size, KEPT)),
        "strange": (strange, evenly(strange.size, KEPT)),
    }


def _check_auroc(subject: Subject) -> None:
    subject.need("score", "auroc")
    _sides(subject)


def _auroc_stamp(subject: Subject) -> dict[str, Any]:
    sides, against = _sides(subject), subject.options.against or ""
    found = {"reference": subject.options.reference, "against": against}
    if not against.startswith(CLASS):
        found["against fingerprint"] = subject.memory["against"].fingerprint[:16]
    return found | {f"{name} examples": len(rows) for name, (_, rows) in sides.items()}


def _auroc(subject: Subject) -> list[Value]:
    score = jax.jit(subject.need("score", "auroc"))
    root = keys.named(jax.random.key(subject.options.seed), "anomaly")
    found = {}
    for side, (split, rows) in _sides(subject).items():
        key = keys.named(root, side)

        def one(batch, number, key=key):
            return score(subject.weights, batch, jax.random.fold_in(key, number))

        found[side] = in_batches(one, split, rows, BATCH).astype(np.float64)
    scores = np.concatenate([found["normal"], found["strange"]])
    if broken := int((~np.isfinite(scores)).sum()):
        raise UserError(f"auroc: {broken} of {len(scores)} anomaly scores are not finite, so they have no order")
    strange = np.arange(len(scores)) >= len(found["normal"])
    area = classification.auroc(scores, strange)
    share = float(strange.mean())
    return [
        Value("AUROC", area.value, None if np.isnan(area.low) else area.ends, "95 % DeLong, over examples"),
        Value("AUPRC", classification.auprc(scores, strange), details={"share of strange examples": share}),
    ]


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
    classify, labels = jax.jit(subject.need("classify", "accuracy")), _labels(subject, "accuracy")
    rows = np.flatnonzero(labels >= 0)
    logits = in_batches(lambda batch, number: classify(subject.weights, batch), subject.split, rows, BATCH)
    return [of_proportion("accuracy", classification.accuracy(logits, labels[rows]))]


AUROC = Metric(_check_auroc, _auroc_stamp, _auroc)
ACCURACY = Metric(_check_accuracy, _accuracy_stamp, _accuracy)
