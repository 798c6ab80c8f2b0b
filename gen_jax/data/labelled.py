"""Few labels: a stream "labelled" of some examples of each class beside a train split that knows no label."""

import dataclasses

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.data import order
from gen_jax.data.labels import UNKNOWN as UNKNOWN
from gen_jax.data.reading import class_name
from gen_jax.data.source import Source, Split, digest, subset, whole

STREAM = "labelled"


def classes_of(data: Source, model: str) -> int:
    """How many classes there are to learn from few labels. Raises UserError for data without labels, and where nobody
    said how few."""
    if data.classes is None:
        raise UserError(f"{model} learns classes, and {data.name} has no labels; use labelled data such as mnist5k")
    if STREAM not in data.others:
        raise UserError(f"{model} learns from few labels; say how many of each class: --labels-per-class 10")
    return data.classes


def few_labels(data: Source, per_class: int, seed: int) -> Source:
    """The data with `per_class` labelled train examples a class, drawn by `seed`, as the stream "labelled".

    "train" keeps all examples, these among them, and tells no label: it is `UNKNOWN` throughout. The test split stays.
    Raises UserError for unlabelled data, and for a class with fewer examples than asked for.
    """
    if data.classes is None:
        raise UserError(f"{data.name} has no labels; use labelled data such as mnist5k")
    if per_class < 1:
        raise UserError(f"{per_class} labels a class: ask for 1 or more")
    labels = whole(data.train)["label"]
    counts = np.bincount(labels[labels >= 0], minlength=data.classes)
    if (least := int(counts.min())) < per_class:
        short = class_name(data, int(counts.argmin()))
        if not least:
            raise UserError(f"{data.name} has no train examples of class {short} to label: add some, or leave it out")
        raise UserError(
            f"{data.name} has {least} train examples of class {short}, fewer than the {per_class} labels asked for; "
            f"ask for {least} or fewer"
        )
    own = order.seed_of(seed, "few labels")
    shuffled = order.permute(np.arange(len(labels)), len(labels), own, np).astype(np.int64)
    chosen = np.sort(np.concatenate([shuffled[labels[shuffled] == c][:per_class] for c in range(data.classes)]))
    return dataclasses.replace(
        data,
        fingerprint=digest(data.fingerprint, "labelled", chosen),
        drawn_from=data.fingerprint,
        train=_without_labels(data.train),
        others={**data.others, STREAM: subset(data.train, chosen)},
    )


def _without_labels(split: Split) -> Split:
    def read(indices: np.ndarray) -> dict[str, np.ndarray]:
        found = split.read(indices)
        return {**found, "label": np.full_like(found["label"], UNKNOWN)}

    arrays = split.arrays and {**split.arrays, "label": np.full_like(split.arrays["label"], UNKNOWN)}
    return dataclasses.replace(split, read=read, arrays=arrays)
