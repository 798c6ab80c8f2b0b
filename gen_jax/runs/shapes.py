"""What the JSON files of a run and a study hold, and one line where a file holds something else.

A shape is a type (`number` for what a float can hold, `interval` for two of them); a tuple of shapes, one of which it
must be; `[shape]`, a list; `{str: shape}`, an object of any names; `{"name": shape}`, an object with these entries,
where `Maybe(shape)` may be missing. Entries that are not named are anyone's: a later release may add some.
"""

import math
from pathlib import Path
from typing import Any, NamedTuple

from gen_jax.core.errors import UserError
from gen_jax.runs.files import read_json


class Maybe(NamedTuple):
    """An entry that need not be there."""

    shape: Any


def number(value: Any) -> bool:
    """Whether it is a number that a float can hold; true and false are none."""
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and float(value) is not None
    except OverflowError:
        return False


def interval(value: Any) -> bool:
    """Whether it is two ends, each a number or null."""
    return isinstance(value, list) and len(value) == 2 and all(end is None or number(end) for end in value)


TEXT = (str, None)
CONFIG = {
    "data": Maybe(str), "data_dir": Maybe(TEXT), "steps": Maybe(int), "batch_size": Maybe(int), "seed": Maybe(int),
    "deterministic": Maybe(bool), "hyper": Maybe({str: object}),
}  # fmt: skip
_READ = {"train": int, "test": int, "shape": [int], "notes": [str]}
_IDENTITY = {
    "data": Maybe(
        {
            "name": str, "fingerprint": str, "spec": Maybe(TEXT), "shape": Maybe([int]), "classes": Maybe((int, None)),
            "names": Maybe(([str], None)), "train": Maybe(int), "test": Maybe(int), "drawn_from": Maybe(str),
        }
    ),
    "code": Maybe({str: str}), "settings": Maybe({str: object}), "script_name": Maybe(str),
}  # fmt: skip
_SITTING = {
    "from_step": int, "started": str, "finished": TEXT, "run_seconds": (number, None),
    "compile_seconds": (number, None), "command": str, "versions": {str: object}, "backend": str, "devices": int,
    "flags": {str: object}, "code": {"commit": TEXT, "dirty": (bool, None)},
    "platform": {"devices": [str], "cpu": str, "cpus": (int, None), "system": str, "python": str},
    "identity": Maybe((_IDENTITY, None)),
}  # fmt: skip
MANIFEST = {
    "status": str, "reason": TEXT, "parameters": {str: int}, "sittings": [_SITTING],
    "data": {"name": str, "fingerprint": str, "read": Maybe((_READ, None))},
    "changed": Maybe([{"kind": str, "step": int, "words": str}]),
    "process": {"clock": number},
}  # fmt: skip
EVALUATION = {
    "step": Maybe((int, None)),
    "results": Maybe(
        [
            {
                "name": str, "value": (number, None), "interval": Maybe((interval, None)),
                "interval_kind": Maybe(TEXT), "unit": Maybe(TEXT),
                "protocol": Maybe(({"features": Maybe(TEXT), "step": Maybe((int, None))}, None)),
                "details": Maybe(({str: object}, None)),
            }
        ]
    ),
}  # fmt: skip
DIAGNOSIS = {"findings": [{"rule": str, "since": int}]}
STUDY = {
    "experiment": str, "settings": CONFIG, "grid": {str: [object]}, "seeds": int, "baseline": str,
    "decide": Maybe(TEXT),
}  # fmt: skip
FAILURE = {"kind": str, "message": str}
PAPER = {"stamp": str, "values": {str: (number, None)}}


def read(path: Path, shape: Any, default: Any = None) -> Any:
    """The JSON in a file, of this shape; `default` where there is no file.

    Raises UserError, naming the file and what in it is wrong, where it cannot be read, is no JSON or of another shape.
    """
    found = read_json(path, _MISSING)  # a file that holds null is there
    if found is _MISSING:
        return default
    if wrong := deviation(found, shape):
        raise UserError(f"{path} is damaged: {wrong}; restore or delete it")
    return found


_MISSING = object()


def deviation(value: Any, shape: Any, name: str = "") -> str:
    """What keeps a value from being of a shape, such as "sittings[0] has no command"; "" where nothing does."""
    called = name or "what it holds"
    if shape is object:
        return ""
    if isinstance(shape, tuple):
        found = [deviation(value, option, name) for option in shape]
        return "" if "" in found else max(found, key=len)
    if isinstance(shape, list):
        if not isinstance(value, list):
            return f"{called} is {_said(value)}, where a list is meant"
        return next(filter(None, (deviation(item, shape[0], f"{name}[{i}]") for i, item in enumerate(value))), "")
    if isinstance(shape, dict):
        return _object(value, shape, name, called)
    if shape is None:
        return "" if value is None else f"{called} is {_said(value)}, where null is meant"
    if shape in (number, interval):
        return "" if shape(value) else f"{called} is {_said(value)}, where {_NAMES[shape]} is meant"
    sound = isinstance(value, shape) and not (shape is int and (isinstance(value, bool) or abs(value) >= 2**63))
    return "" if sound else f"{called} is {_said(value)}, where {_NAMES[shape]} is meant"


def _object(value: Any, shape: dict[Any, Any], name: str, called: str) -> str:
    if not isinstance(value, dict):
        return f"{called} is {_said(value)}, where an object is meant"
    for key, inner in shape.items():
        optional = isinstance(inner, Maybe)
        for entry in value if key is str else [key]:
            if entry not in value:
                if optional:
                    continue
                return f"{called if name else 'it'} has no {entry}"
            inside = f"{name}.{entry}" if name else entry
            if wrong := deviation(value[entry], inner.shape if optional else inner, inside):
                return wrong
    return ""


_NAMES = {
    str: "text", int: "a whole number", bool: "true or false", number: "a number", interval: "a list of two numbers",
}  # fmt: skip


def _said(value: Any) -> str:
    """A value in few words."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    if isinstance(value, float) and not math.isfinite(value):
        return "no finite number"
    text = repr(value) if isinstance(value, str) or abs(value) < 10**15 else "a number of many digits"
    return text if len(text) <= 40 else f"{text[:37]}..."
