"""What pictures of a conditional model are given: classes in turn, or what held-out examples have."""

from collections.abc import Iterable, Mapping

import jax.numpy as jnp
import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.core.lines import say
from gen_jax.core.types import Array
from gen_jax.data import reading
from gen_jax.data.feed import to_batch
from gen_jax.data.source import Source


def in_turn(names: Iterable[str], source: Source, count: int) -> dict[str, Array]:
    """`count` values of each name: labels 0, 1, 2, … repeating; of anything else, those of the test split in order.

    Raises UserError where the data have no such entry.
    """
    names = tuple(names)
    rows = np.arange(count) % source.test.size
    found = dict(to_batch(source.test.read(rows))) if set(names) - {"label"} else {}
    if source.classes is not None:
        found["label"] = jnp.arange(count, dtype=jnp.int32) % source.classes
    if missing := [name for name in names if name not in found]:
        raise UserError(f"this model is given {', '.join(missing)}, which {source.name} does not have")
    return {name: found[name] for name in names}


def of_class(label: int | str | None, names: Iterable[str], source: Source, count: int) -> dict[str, Array]:
    """`in_turn`, but for the class that a person asked for with --label, by its number, or, as text, by its name first.

    Raises UserError for a class that the data do not have, and for a model that is not given labels.
    """
    names = tuple(names)
    if label is None:
        return in_turn(names, source, count)
    number = reading.class_number(source, label) if isinstance(label, str) else label
    if number is None or not 0 <= number < (source.classes or 0):
        named = f", called {reading.short(source.names, 12)}" if source.names else ""
        raise UserError(f"--label {label}: this run's data has {source.classes or 'no'} classes{named}, counted from 0")
    if "label" not in names:
        raise UserError(f"--label {label}: this model is not told labels; leave --label out")
    return {**in_turn(names, source, count), "label": jnp.full(count, number, jnp.int32)}


def say_unlearnt(given: Mapping[str, Array], source: Source) -> None:
    """A line where a class is asked for that has no examples to train on."""
    if "label" in given and (bare := sorted({int(k) for k in np.asarray(given["label"])} & set(source.unlearnt))):
        names = reading.short([reading.class_name(source, number) for number in bare], 12)
        say(f"{source.name} has no training examples of class {names}: what is drawn for it was never learnt")


def by_class(images: np.ndarray, given: Mapping[str, Array], source: Source) -> tuple[np.ndarray, list[str]] | None:
    """Samples of classes in turn as rows of one class each, [classes, n, ...], with the classes' names; None where the
    data have no names, or there is not one sample of each class."""
    if source.names is None or source.classes is None or "label" not in given:
        return None
    of, many = np.asarray(given["label"]), len(images) // source.classes
    if not many or (of != np.arange(len(of)) % source.classes).any():
        return None
    whole = images[: many * source.classes].reshape(many, source.classes, *images.shape[1:])
    return np.swapaxes(whole, 0, 1), [reading.class_name(source, label) for label in range(source.classes)]


def shown(label: int | str | None, given: Mapping[str, Array], source: Source) -> str:
    """Which classes a picture shows, in its order, for a person: "b (1)", or "a, b, c in turn"."""
    number = int(np.asarray(given["label"])[0])
    if label is not None:
        name = reading.class_name(source, number)
        return name if name == str(number) else f"{name} (number {number})"
    return f"{reading.short([reading.class_name(source, i) for i in range(source.classes or 0)], 12)}, in turn"
