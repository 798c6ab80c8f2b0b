"""Which settings a script's `build` reads: one that was given and that nothing reads is refused, not ignored.

Dataclasses inside the settings are listened to, each field by its dotted name; those in tuples and dicts are not.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from gen_jax.core import domains
from gen_jax.core.errors import UserError
from gen_jax.runs.config import Config

FOR_BUILD = ("precision",)  # of the settings that all experiments have: the loop and the data read the others
_NONE = object()  # in place of the default of a field that must be given


@contextlib.contextmanager
def listening(config: Config) -> Iterator[set[str]]:
    """A block in which the dotted names of what is read of these settings gather in the set that it is given.

    The classes listen, for that long, and not a copy of another type: scripts look up `type(config.net)`, and pickle.
    """
    seen, owners = set[str](), list(_inside(config, ""))
    with contextlib.ExitStack() as stack:
        for kind in {type(settings) for settings, _ in owners}:
            stack.enter_context(_listens(kind, owners, seen))
        yield seen


def _inside(settings: Any, prefix: str) -> Iterator[tuple[Any, str]]:
    """(settings, the prefix of its fields' names), of these and of those inside them."""
    yield settings, prefix
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            yield from _inside(value, f"{prefix}{field.name}.")


@contextlib.contextmanager
def _listens(kind: Any, owners: Sequence[tuple[Any, str]], seen: set[str]) -> Iterator[None]:
    names, before = {field.name for field in dataclasses.fields(kind)}, kind.__getattribute__
    prefixes: dict[int, list[str]] = {}  # one value may stand in several fields
    for settings, prefix in owners:
        prefixes.setdefault(id(settings), []).append(prefix)

    def read(self: Any, name: str) -> Any:
        for prefix in prefixes.get(id(self), []):
            # Who takes all attributes at once (`vars`), or one that was made of them (`__post_init__`), may use any.
            whole = name == "__dict__" or (name not in names and name in _beside(self, before))
            seen.update(f"{prefix}{each}" for each in (names if whole else [name]))
        return before(self, name)

    own = vars(kind).get("__getattribute__")
    kind.__getattribute__ = read
    try:
        yield
    finally:
        if own is None:
            del kind.__getattribute__
        else:
            kind.__getattribute__ = own


def _beside(settings: Any, get: Callable[[Any, str], Any]) -> Any:
    """The attributes of a value; none where it has slots."""
    try:
        return get(settings, "__dict__")
    except AttributeError:
        return ()


def refuse_unread(config: Config, seen: set[str], script: str) -> None:
    """Raises UserError for a setting that is not the script's default and that its `build` never looked at."""
    for name, value in unread(config, seen):
        raise UserError(f"{_flag(name, value)}: {script} does not read it, or not with these settings; leave it out")


def unread(config: Config, seen: set[str]) -> list[tuple[str, Any]]:
    """(dotted name, value) of the script's own settings that are not at their default and were not read."""
    common = {field.name for field in dataclasses.fields(Config)} - set(FOR_BUILD)
    return [(name, value) for name, value in given(config) if name not in seen and name not in common]


def given(settings: Any, usual: Any = _NONE, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted name, value) of what is not at its default. `usual`: the default of the whole, where it has one."""
    for field in dataclasses.fields(settings):
        if not field.init:
            continue
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
