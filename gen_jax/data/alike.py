"""Another data set as a model that was trained on the first sees it: in its units, and with its classes' numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.data import load, table
from gen_jax.data.kinds import Kind
from gen_jax.data.reading import class_name, short
from gen_jax.data.source import Source


def alike(own: Source, config: Any, spec: str, flag: str, given: Sequence[str] = ()) -> Source:
    """The data set `spec`, read as `own` was by the settings `config`, with all of its classes and labels.

    A table is standardised by the columns of `own` and not by its own rows, which would make the strangest look like
    any other. `given`: what the model is given beside x. Raises UserError, with `flag`, for data of another shape or
    kind, of another rate, without what the model is given, and with other classes where it is given labels.
    """
    what = f"{flag} {spec}"
    if isinstance(own, table.TableSource):
        found = _table(own, config, spec, what)
    else:
        found = load.other(config, spec)
    if found.shape != own.shape:
        raise UserError(f"{what}: its examples are of shape {found.shape}, and this model's of {own.shape}")
    if (there := _kind(found.kind)) != (here := _kind(own.kind)):
        raise UserError(f"{what}: it holds {there}, and this model is of {here}")
    _check_given(own, found, what, given)
    return found


def _table(own: table.TableSource, config: Any, spec: str, what: str) -> Source:
    kind, _, path = spec.partition(":")
    if kind == "table" and path:
        return table.alike(path, own, getattr(config, "columns", None))
    load.other(config, spec)  # where it cannot be read at all, that is what to say
    raise UserError(f"{what}: this run is of a table; give table:PATH, a file with the same columns")


def _kind(kind: Kind) -> str:
    """What tells one kind from another: its name, and the rate of sounds. Tables have theirs from their columns."""
    return kind.name if kind.rate is None else f"{kind.name} of {kind.rate:,} Hz"


def _check_given(own: Source, found: Source, what: str, given: Sequence[str]) -> None:
    there, here = (data.train.read(np.zeros(1, np.int64)) for data in (found, own))
    if missing := [name for name in given if name not in there or (name == "label" and found.classes is None)]:
        raise UserError(
            f"{what}: this model is given {', '.join(missing)} as {own.name} tells it, and these data do not"
        )
    for name in given:
        if (other := there[name].shape[1:]) != (shape := here[name].shape[1:]):
            raise UserError(f"{what}: its {name} is of shape {other}, and this model is given one of {shape}")
    if "label" in given and (other := _classes(found)) != (classes := _classes(own)):
        raise UserError(
            f"{what}: this model is given a class's number, and the classes of these data are others: "
            f"{short(other, 8)} there, {short(classes, 8)} of {own.name}"
        )


def _classes(data: Source) -> list[str]:
    return [class_name(data, number) for number in range(data.classes or 0)]
