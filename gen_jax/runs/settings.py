"""Settings as JSON and back: nested frozen dataclasses of numbers, strings, paths, enums (by name), tuples and sets.

What JSON cannot keep is refused before a run begins (`check_kept`), for its model could not be rebuilt.
"""

import dataclasses
import enum
import json
import math
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gen_jax.core.errors import UserError
from gen_jax.core.lines import one_line


def to_json(value: Any) -> Any:
    """A JSON value of a settings dataclass (or of any field of one)."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        # A field with init=False follows from the others, and is made of them again.
        given = (field.name for field in dataclasses.fields(value) if field.init)
        return {name: to_json(getattr(value, name)) for name in given}
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (tuple, list)):
        return [to_json(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((to_json(item) for item in value), key=repr)  # in an order that is always the same
    if isinstance(value, dict):
        return {name: to_json(item) for name, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no such numbers; "inf" and "nan" are read back by float
    return value


def from_json(kind: Any, value: Any) -> Any:
    """The settings of type `kind` that `to_json` gave `value`. Raises UserError for a field that `kind` lacks."""
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        if unknown := sorted(set(value) - {field.name for field in dataclasses.fields(kind) if field.init}):
            owner = getattr(kind, "__name__", kind)
            raise UserError(f"config.json has fields that {owner} of experiment.py lacks: {', '.join(unknown)}")
        return kind(**{name: from_json(hints[name], item) for name, item in value.items()})  # type: ignore[operator]
    if value is None:
        return None
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return from_json(_option(arguments, value), value)
    if origin is typing.Annotated:
        return from_json(arguments[0], value)
    if origin is typing.Literal:
        return next((each for each in arguments if _alike(to_json(each), value)), value)
    plain = origin or kind
    if plain is Sequence:
        plain, arguments = tuple, (*arguments[:1], ...) if arguments else ()
    if (named := getattr(plain, "_fields", None)) is not None:  # a NamedTuple
        hints = typing.get_type_hints(plain)
        return plain(*(from_json(hints.get(name, Any), each) for name, each in zip(named, value, strict=True)))
    if plain is tuple and arguments:
        items = arguments[:1] * len(value) if arguments[-1:] == (Ellipsis,) else arguments
        return tuple(from_json(item, each) for item, each in zip(items, value, strict=True))
    if plain in (tuple, list, set, frozenset):
        return plain(from_json(arguments[0], each) if arguments else each for each in value)
    if plain is dict and arguments:
        return {from_json(arguments[0], name): from_json(arguments[1], item) for name, item in value.items()}
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return kind[value]
    if kind is Path:
        return Path(value)
    return kind(value) if kind in (int, float, str, bool) else value


def _option(options: Sequence[Any], value: Any) -> Any:
    """The option of a union that a JSON value is of: the first that gives the very value back, literals before others
    (any text is a path, too)."""
    options = [option for option in options if option is not type(None)]
    for option in sorted(options, key=lambda each: typing.get_origin(each) is not typing.Literal):
        if typing.get_origin(option) is typing.Literal:
            fits = any(_alike(to_json(each), value) for each in typing.get_args(option))
        else:
            try:
                fits = _alike(to_json(from_json(option, value)), value)
            except _UNFIT:
                fits = False
        if fits:
            return option
    return options[0]


# What reading a value as of a kind that it is not of raises.
_UNFIT = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, UserError)


def _alike(one: Any, other: Any, numbers: bool = False) -> bool:
    """Whether two values are equal and, in all their parts, of one type: True is not 1. `numbers`: but 1 is 1.0."""
    if dataclasses.is_dataclass(one) and type(one) is type(other):
        names = [field.name for field in dataclasses.fields(one)]
        return all(_alike(getattr(one, name), getattr(other, name), numbers) for name in names)
    if isinstance(one, (tuple, list)) and type(one) is type(other):
        return len(one) == len(other) and all(_alike(*pair, numbers) for pair in zip(one, other, strict=True))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(one[name], other[name], numbers) for name in one)
    if type(one) is not type(other) and not (numbers and _is_number(one) and _is_number(other)):
        return False
    return bool(one == other) or (one != one and other != other)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def check_kept(settings: Any, prefix: str = "--") -> None:
    """Raises UserError, naming the field, where a value of settings would come back from config.json as another one."""
    hints = typing.get_type_hints(type(settings))
    for field in dataclasses.fields(settings):
        value, name = getattr(settings, field.name), f"{prefix}{field.name.replace('_', '-')}"
        if not field.init:
            continue  # it comes back with the whole, below, if it does
        if dataclasses.is_dataclass(value) and hints[field.name] is type(value):
            check_kept(value, f"{name}.")
        elif (why := _lost(hints[field.name], value)) is not None:
            raise UserError(
                f"{name} {one_line(getattr(value, 'name', value))}: config.json cannot keep it, and the model could "
                f"not be rebuilt ({why}); give the field another type or value"
            )
    if (why := _lost(type(settings), settings)) is not None:
        raise UserError(
            f"config.json cannot keep the {type(settings).__name__} of these settings, and the model could not be "
            f"rebuilt ({why})"
        )


def _lost(kind: Any, value: Any) -> str | None:
    """How a value fails to come back; None where it comes back."""
    try:
        back = from_json(kind, json.loads(json.dumps(to_json(value), allow_nan=False)))
    except _UNFIT as error:
        return one_line(error)
    return None if _alike(value, back, numbers=True) else f"it would come back as {one_line(repr(back))}"


def flatten(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as one level of dotted names: {"hyper": {"lr": 1}} -> {"hyper.lr": 1}."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        flat |= flatten(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


def differences(old: dict[str, Any], new: dict[str, Any], ignore: tuple[str, ...]) -> list[str]:
    """One phrase a field that differs: "batch_size is 32 there and 64 here"."""
    before, after = flatten(old), flatten(new)
    absent = object()
    return [
        f"{name} is {before.get(name)!r} there and {after.get(name)!r} here"
        for name in sorted(before.keys() | after.keys())
        if name not in ignore and before.get(name, absent) != after.get(name, absent)
    ]
