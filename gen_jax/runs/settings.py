"""Settings as JSON and back: nested frozen dataclasses of numbers, strings, paths, enums (by name) and tuples."""

import dataclasses
import enum
import math
import types
import typing
from pathlib import Path
from typing import Any

from gen_jax.core.errors import UserError


def to_json(value: Any) -> Any:
    """A JSON value of a settings dataclass (or of any field of one)."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (tuple, list)):
        return [to_json(item) for item in value]
    if isinstance(value, dict):
        return {name: to_json(item) for name, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no such numbers; "inf" and "nan" are read back by float
    return value


def from_json(kind: Any, value: Any) -> Any:
    """The settings of type `kind` that `to_json` gave `value`. Raises UserError for a field that `kind` lacks."""
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        if unknown := sorted(set(value) - set(hints)):
            owner = getattr(kind, "__name__", kind)
            raise UserError(f"config.json has fields that {owner} of experiment.py lacks: {', '.join(unknown)}")
        return kind(**{name: from_json(hints[name], item) for name, item in value.items()})  # type: ignore[operator]
    if value is None:
        return None
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        options = [option for option in typing.get_args(kind) if option is not type(None)]
        # `int | float` and the like: the value's own kind, where it is one of them.
        return from_json(next((option for option in options if option is type(value)), options[0]), value)
    if origin is typing.Annotated:
        return from_json(typing.get_args(kind)[0], value)
    if origin is tuple:
        items = typing.get_args(kind)
        if items[-1:] == (Ellipsis,):
            items = items[:1] * len(value)
        return tuple(from_json(item, each) for item, each in zip(items, value, strict=True))
    if origin is dict:
        return {name: from_json(typing.get_args(kind)[1], item) for name, item in value.items()}
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return kind[value]
    if kind is Path:
        return Path(value)
    return kind(value) if kind in (int, float, str, bool) else value


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
