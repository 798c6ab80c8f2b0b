"""What a model's latents, or its discriminator's features, know of classes: a linear probe and 1-NN."""

from typing import Any

import numpy as np

from gen_jax.core import dealing
from gen_jax.core.errors import UserError
from gen_jax.data.labelled import UNKNOWN
from gen_jax.data.source import Split, evenly, to_float
from gen_jax.metrics import classification, probes
from gen_jax.runs.batches import in_batches
from gen_jax.runs.evaluation.metric import Metric, Value, of_proportion
from gen_jax.runs.evaluation.subject import KEPT, Subject

BATCH = 250
NEIGHBOURS = 60_000  # train examples that 1-NN looks at
LINEAR = 10_000  # that the linear probe is fitted to


def _known(subject: Subject) -> str:
    """The split whose labels the probe learns: a run with few labels has no others."""
    return "labelled" if "labelled" in subject.source.others else "train"


def _kind(subject: Subject) -> str:
    if subject.algorithm.encode is not None:
        return "latents"
    if subject.algorithm.features is not None:
        return "last features of the discriminator"
    raise UserError("probe needs a model that has `encode` or `features`, and this one has neither")


def check(subject: Subject) -> None:
    _kind(subject)
    if subject.source.classes is None:
        raise UserError(f"probe needs labelled data, and {subject.source.name} has no labels")
    if subject.options.reference == "train":
        raise UserError("probe is fitted to train; ask it of test: leave --reference out")
    if "label" in subject.algorithm.given:
        raise UserError("probe asks features for the label, and this model's are given it")


def stamp(subject: Subject) -> dict[str, Any]:
    split = subject.source.split(_known(subject))
    return {
        "features of": _kind(subject),
        "reference": subject.options.reference,
        "probe fitted to": f"{min(split.size, LINEAR)} {_known(subject)} examples, 1-NN {min(split.size, NEIGHBOURS)}",
        "probe": "logistic regression, C = 1, standardised",
    }


def _features(subject: Subject, split: Split, rows: np.ndarray) -> np.ndarray:
    """[N, D]."""
    algorithm = subject.algorithm

    def one(weights, batch):
        if algorithm.encode is not None:
            found = algorithm.encode(weights, batch)["mean"]
        else:
            assert algorithm.features is not None
            found = algorithm.features(weights, batch, batch["x"])
        return found.reshape(found.shape[0], -1)

    return in_batches(dealing.by_device(one), subject.weights, split, rows, BATCH)


def compute(subject: Subject) -> list[Value]:
    train, test = subject.source.split(_known(subject)), subject.split
    rows, asked = evenly(train.size, NEIGHBOURS), evenly(test.size, KEPT)
    known, truth = train.read(rows), test.read(asked)
    there = np.flatnonzero(known["label"] != UNKNOWN)
    rows, labels = rows[there], known["label"][there]
    asked = asked[truth["label"] != UNKNOWN]
    labels_asked = truth["label"][truth["label"] != UNKNOWN]
    few = evenly(len(rows), LINEAR)
    sides = {
        "": (_features(subject, train, rows), _features(subject, test, asked)),
        " of pixels": tuple(to_float(s.read(r)["x"]).reshape(len(r), -1) for s, r in ((train, rows), (test, asked))),
    }
    values = []
    for name, (seen, wanted) in sides.items():
        linear = probes.linear_probe(seen[few], labels[few], wanted, subject.options.seed)
        closest = probes.nearest_neighbour(seen, labels, wanted)
        for what, found in (("linear probe", linear), ("1-NN", closest)):
            value = of_proportion(what + name, classification.accuracy(found, labels_asked))
            values.append(value._replace(details={"null": True}) if name else value)
    return values


PROBE = Metric(check, stamp, compute)
