"""`--help` of a verb, and of what a script takes that is no experiment: in the form of the experiments' own help."""

import dataclasses
import inspect
import re
import shutil
import textwrap
import typing
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from gen_jax.core import domains
from gen_jax.runs import help

RUN = ("run", "runs")  # arguments that docs and examples call RUN


class _Argument(NamedTuple):
    """One of a call's: its hint and its words; `default` is inspect.Parameter.empty where it must be given."""

    name: str
    hint: Any
    words: str
    default: Any

    @property
    def notes(self) -> tuple[Any, ...]:
        return typing.get_args(self.hint)[1:] if typing.get_origin(self.hint) is typing.Annotated else ()

    @property
    def positional(self) -> bool:
        return any("ositional" in str(note) for note in self.notes)  # tyro.conf.Positional's mark

    @property
    def needed(self) -> bool:
        return self.default is inspect.Parameter.empty


def of_function(function: Callable[..., Any], prog: str, width: int | None = None) -> str:
    """The help of a verb, from its signature and docstring."""
    about, words = _docstring(inspect.getdoc(function) or "")
    hints = typing.get_type_hints(function, include_extras=True)
    arguments = [
        _Argument(name, hints[name], words.get(name, ""), one.default)
        for name, one in inspect.signature(function).parameters.items()
    ]
    return _help(prog, about, arguments, domains.of_function(function), width)


def of_settings(kind: type, prog: str, about: str, width: int | None = None) -> str:
    """The help of a command whose options are a dataclass."""
    hints, words = domains.hints(kind), help.described(kind)
    fields = dataclasses.fields(kind)
    arguments = [_Argument(one.name, hints[one.name], words.get(one.name, ""), _default(one)) for one in fields]
    return _help(prog, about, arguments, domains.of_class(kind), width)


def _help(prog: str, about: str, arguments: list[_Argument], known: dict[str, Any], width: int | None) -> str:
    width = width or min(shutil.get_terminal_size().columns, 120)
    first = [one for one in arguments if one.positional]
    flags = [one for one in arguments if not one.positional]
    usual = [row for one in flags if not one.needed for row in _rows(one, known)]
    needed = [row for one in flags if one.needed for row in _rows(one, known)]
    usage = [prog, *(_place(one) for one in first), *(flag for flag, _ in needed), "[--OPTION VALUE ...]"]
    wrapped = textwrap.wrap("usage: " + " ".join(usage), width, subsequent_indent="    ", break_on_hyphens=False)
    places = [(_place(one), _words(one, None)) for one in first]
    parts = ["\n".join(wrapped), help.folded(about, width)]
    if places or needed:
        parts.append(help.group("What must be given", [*places, *needed], width))
    return "\n\n".join([*filter(None, parts), help.group("Options", usual, width)])


def _rows(one: _Argument, known: dict[str, Any]) -> Iterator[tuple[str, str]]:
    hint = typing.get_args(one.hint)[0] if typing.get_origin(one.hint) is typing.Annotated else one.hint
    if dataclasses.is_dataclass(hint):
        yield from (row for _, row in help.rows(typing.cast(type, hint)))
        return
    switch = "[no-]" if isinstance(one.default, bool) and one.default else ""
    behind = help.follows(one.hint)
    if any("AppendAction" in str(note) for note in one.notes):
        behind = behind.removesuffix(" ...")  # one at a time
    yield f"--{switch}{domains.flag(one.name)} {behind}".strip(), _words(one, known.get(one.name))


def _place(one: _Argument) -> str:
    """What stands in the usage for an argument without a flag."""
    name = "RUN" if one.name in RUN else domains.flag(one.name).upper()
    several = "..." if "tuple" in str(one.hint) else ""
    return f"{name} {several}".strip() if one.needed else f"[{name}]"


def _words(one: _Argument, domain: domains.Interval | None) -> str:
    said = next((note.help for note in one.notes if getattr(note, "help", None)), None)
    words = said or one.words or help.WORDS.get(one.name, one.name.replace("_", " "))
    default = None if one.needed or one.default in (None, (), False, "") else one.default
    return help.with_notes(words, default, domain)


def _docstring(text: str) -> tuple[str, dict[str, str]]:
    """(what it does, the words of each argument)."""
    about, _, rest = text.partition("\nArgs:\n")
    block = textwrap.dedent(re.split(r"\n(?=\S)", rest)[0])
    found = re.findall(r"^(\w+): (.*(?:\n +.*)*)", block, re.M)
    return about, {name: " ".join(words.split()) for name, words in found}


def _default(field: dataclasses.Field) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default
