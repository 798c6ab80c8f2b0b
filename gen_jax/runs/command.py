"""The command line as settings: read by tyro, in whose help every number has its domain; a mistake is one line."""

import contextlib
import dataclasses
import functools
import inspect
import io
import re
import sys
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from gen_jax.core import domains
from gen_jax.core.errors import UserError
from gen_jax.core.near import meant
from gen_jax.runs import help, help_calls
from gen_jax.runs.config import Config

_FRAMES = re.compile(r"[│╭╮╰╯─]|(?<!\S)[+|]-*(?!\S)|-{5,}|\+?-{5,}\+?")  # what tyro draws around its messages
_MORE = re.compile(r"(Argument helptext:|For full helptext|={5,}).*")
_HEADING = re.compile(
    r"^(Value error|Invalid choice|Unrecognized options|Required options|Missing argument|Parsing error) (?=\S)"
)
_NO_NUMBER = re.compile(  # "--steps", "int", "abc": of a number alone, and of one that may be None
    r"^Error parsing (\S+): (?:invalid literal for|could not convert string to|no type matching \{None\}\|)"
    r" ?(int|float|INT|FLOAT).*?'(.*?)'\]?(?:\. Got errors.*)?$"
)
_KINDS = {"int": "a whole number", "float": "a number"}


def read(kind: type, args: Sequence[str] | None = None, **options: Any) -> Any:
    """The settings dataclass that a command line asks for, every value inside its domain. Raises UserError otherwise.

    options: as tyro.cli takes them (prog, description).
    """
    _help(kind, args, options)
    import tyro

    settings = one_line(lambda: tyro.cli(shown(kind), args=args, **options))
    domains.check(settings)
    return settings


def read_some(kind: type, args: Sequence[str], **options: Any) -> tuple[Any, list[str]]:
    """`read` of what a command line says of `kind`, and the rest of it."""
    _help(kind, args, options)
    import tyro

    settings, rest = one_line(lambda: tyro.cli(shown(kind), args=args, return_unknown_args=True, **options))
    domains.check(settings)
    return settings, rest


def _help(kind: type, args: Sequence[str] | None, options: Mapping[str, Any]) -> None:
    """Where help is asked for: prints it, and ends the process as such a command ends."""
    if not help.wanted(args):
        return
    about = options.get("description", "")
    if issubclass(kind, Config):
        print(help.of_experiment(kind, about))
    else:
        print(help_calls.of_settings(kind, options.get("prog") or Path(sys.argv[0]).name, about))
    raise SystemExit(0)


def verb(
    verbs: Sequence[Callable[..., None]], args: Sequence[str], prog: str, groups: Mapping[str, Sequence[str]] = {}
) -> None:
    """Call the one of these functions that a command line names, every number of it inside its domain.

    groups: titles of the help and the verbs under them. Raises UserError for a verb that is not there.
    """
    named = {each.__name__.replace("_", "-"): each for each in verbs}
    first, rest = args[0], args[1:]
    if first in ("-h", "--help"):
        print(help.of_verbs(named, groups, prog))
        return
    if first not in named:
        raise UserError(f"there is no verb {first}; {meant(first, named)}there are {', '.join(named)}")
    if help.wanted(rest):
        print(help_calls.of_function(named[first], f"{prog} {first}"))
        return
    import tyro

    chosen = checked(named[first])
    call = one_line(lambda: tyro.cli(chosen, args=rest, prog=f"{prog} {first}"))
    call()


def one_line(parse: Callable[[], Any]) -> Any:
    """What `parse` returns; where it ends the process over a mistake, UserError with its message in one line."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            found = parse()
    except SystemExit as end:
        if end.code in (0, None):  # help
            sys.stderr.write(said.getvalue())
            raise
        raise UserError(_flat(said.getvalue())) from None
    sys.stderr.write(said.getvalue())
    return found


def _flat(text: str) -> str:
    """tyro's box as a sentence. The heading in the frame says again what the sentence under it says."""
    line = _HEADING.sub("", _MORE.sub("", " ".join(_FRAMES.sub(" ", text).split())).strip())
    if wrong := _NO_NUMBER.match(line):
        return f"{wrong[1]} {wrong[3]}: give {_KINDS[wrong[2].lower()]}"
    return _unknown(line) if line.startswith("Unrecognized") else line


def _unknown(line: str) -> str:
    """What was not understood, and the flag that may have been meant."""
    said, _, guess = line.partition(" Perhaps you meant: ")
    words = [word.strip() for word in said.removeprefix("Unrecognized options:").split(",")]
    first = next((word for word in words if word.startswith("-")), words[0]).rstrip(".")
    meant = re.match(r"--[\w.-]+", guess)
    advice = f"; did you mean {meant[0]}?" if meant else ";"
    return f"{first} is not understood here{advice} --help says what there is"


def shown(kind: type) -> type:
    """The dataclass itself, its annotations amended so that tyro's help says each domain behind the default."""
    for each in kind.__mro__:
        if not dataclasses.is_dataclass(each):
            continue
        known = domains.of_class(each)
        own = inspect.get_annotations(each)
        for name, hint in domains.hints(each).items():
            if name in own and name in known and not _told(hint):
                each.__annotations__[name] = told(hint, known[name])
            if isinstance(hint, type) and dataclasses.is_dataclass(hint):
                shown(hint)
    return kind


def told(hint: Any, domain: domains.Interval) -> Any:
    """The hint with a note for tyro: what may be given, behind the default."""
    import tyro

    if domain in domains.UNSAID:
        return hint
    return Annotated[hint, tyro.conf.arg(help_behavior_hint=lambda default: f"(default: {default}; {domain.brief})")]


def _told(hint: Any) -> bool:
    """Whether the help of a field is settled already, by us or by its author."""
    notes = typing.get_args(hint)[1:] if typing.get_origin(hint) is Annotated else ()
    return any(hasattr(note, "help_behavior_hint") for note in notes)


def checked(function: Callable[..., None]) -> Callable[..., Callable[[], None]]:
    """A verb for tyro: called with what was read, it checks the domains and gives back the call itself, still to do."""
    known = domains.of_function(function)
    notes = typing.get_type_hints(function, include_extras=True)

    @functools.wraps(function)
    def prepare(**arguments: Any) -> Callable[[], None]:
        domains.check_call(function, arguments)
        return functools.partial(function, **arguments)

    hints = {name: told(hint, known[name]) if name in known else hint for name, hint in notes.items()}
    signature = inspect.signature(function)
    own = [one.replace(annotation=hints.get(name, one.annotation)) for name, one in signature.parameters.items()]
    prepare.__signature__ = signature.replace(parameters=own)  # type: ignore[attr-defined]
    prepare.__annotations__ = hints
    del prepare.__wrapped__
    return prepare
