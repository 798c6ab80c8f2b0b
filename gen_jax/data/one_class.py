"""One class as what is normal: trained on it alone, and the others kept apart, as what is strange."""

import dataclasses

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.data.reading import class_name, class_number, short
from gen_jax.data.source import Source, count, digest, subset, whole

REST = "strange"  # the stream of the test examples of all other classes


def one_class(data: Source, text: str) -> Source:
    """The data with the class `text` (its name, or its number from 0) alone in "train" and "test", and the other test
    examples as the stream "strange", which nothing trains on.

    Raises UserError for data without labels, for a class that is not there, and for one that leaves a split empty.
    """
    flag = f"--normal-class {text}"
    if data.classes is None:
        raise UserError(f"{flag}: {data.name} has no labels; use labelled data such as mnist5k")
    if (number := class_number(data, text)) is None:
        names = f" ({short(data.names, 12)})" if data.names else ""
        raise UserError(f"{flag}: {data.name} has classes 0 to {data.classes - 1}{names}")
    labels = {name: whole(data.split(name))["label"] for name in ("train", "test")}
    rows = {name: np.flatnonzero(found == number) for name, found in labels.items()}
    if empty := [name for name, found in rows.items() if not len(found)]:
        raise UserError(f"{flag}: {data.name} has no {empty[0]} examples of it; choose another class")
    rest = np.flatnonzero((labels["test"] != number) & (labels["test"] >= 0))
    others = {REST: subset(data.test, rest)} if len(rest) else {}
    called = class_name(data, number)
    return dataclasses.replace(
        data,
        name=f"{data.name} (class {called})",
        fingerprint=digest(data.fingerprint, "normal class", number),
        train=subset(data.train, rows["train"]),
        test=subset(data.test, rows["test"]),
        others={**data.others, **others},
        counts=count(labels["train"][rows["train"]], data.classes),
        notes=(*data.notes, f"class {called} is normal, {len(rest):,} test examples of others are kept apart"),
    )
