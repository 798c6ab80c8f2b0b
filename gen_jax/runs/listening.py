"""Which settings a script's `build` reads: one that was given and that nothing reads is refused, not ignored.

Dataclasses inside the settings are listened to, each field by its dotted name; those in tuples and dicts are not.
"""

import copy
import dataclasses
from collections.abc import Iterator
from typing import Any

from gen_jax.core import domains
from gen_jax.core.errors import UserError
from gen_jax.runs.config import Config

FOR_BUILD = ("precision",)  # of the settings that all experiments have: the loop and the data read the others
_NONE = object()  # in place of the default of a field that must be given


def listening(config: Config) -> tuple[Config, set[str]]:
    """(the same settings, the dotted names that have been read of them so far)."""
    seen = set[str]()
    return _heard(config, seen, ""), seen


def _heard(settings: Any, seen: set[str], prefix: str) -> Any:
    """A copy of settings, and of those inside them, that notes what is read of it."""
    kind: Any = type(settings)
    names = [field.name for field in dataclasses.fields(kind)]

    def read(self: Any, name: str) -> Any:
        # Who takes all attributes at once (`vars`) may use any of them.
        seen.update(f"{prefix}{each}" for each in (names if name == "__dict__" else [name]))
        return kind.__getattribute__(self, name)

    def equal(self: Any, other: Any) -> Any:
        found = kind.__eq__(self, other)  # which, where a dataclass made it, asks for the very same class
        if found is NotImplemented and getattr(type(other), "_heard_of", type(other)) is kind:
            return all(getattr(self, each.name) == getattr(other, each.name) for each in _compared(kind))
        return found

    heard = copy.copy(settings)
    for name in names:
        value = getattr(settings, name)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            object.__setattr__(heard, name, _heard(value, seen, f"{prefix}{name}."))
    own = {"__slots__": (), "__getattribute__": read, "__eq__": equal, "__hash__": kind.__hash__, "_heard_of": kind}
    object.__setattr__(heard, "__class__", type(kind.__name__, (kind,), {**own, "__module__": kind.__module__}))
    return heard


def _compared(kind: type) -> list[dataclasses.Field[Any]]:
    return [field for field in dataclasses.fields(kind) if field.compare]


def refuse_unread(config: Config, seen: set[str], script: str) -> None:
    """Raises UserError for a setting that is not the script's default and that its `build` never looked at."""
    common = {field.name for field in dataclasses.fields(Config)} - set(FOR_BUILD)
    for name, value in given(config):
        if name not in seen and name not in common:
            raise UserError(
                f"{_flag(name, value)}: {script} does not read it, or not with these settings; leave it out"
            )


def given(settings: Any, usual: Any = _NONE, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted name, value) of what is not at its default. `usual`: the default of the whole, where it has one."""
    for field in dataclasses.fields(settings):
        value, name = getattr(settings, field.name), f"{prefix}{field.name}"
        default = _default(field) if usual is _NONE else getattr(usual, field.name, _NONE)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            yield from given(value, default if type(default) is type(value) else _NONE, f"{name}.")
        elif value != default:
            yield name, value


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return _NONE if field.default is dataclasses.MISSING else field.default


def _flag(name: str, value: Any) -> str:
    """A setting as the command line spells it."""
    group, _, last = name.rpartition(".")
    if isinstance(value, bool):
        return f"--{domains.flag(f'{group}.' if group else '')}{'' if value else 'no-'}{domains.flag(last)}"
    values = value if isinstance(value, (tuple, list)) else [value]
    return " ".join([f"--{domains.flag(name)}", *(str(getattr(each, "name", each)) for each in values)])
