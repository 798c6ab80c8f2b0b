"""What a person says of a table's columns: `--columns FILE.toml`, or `--columns zip=category,id=drop,income=target`.

names = ["age", "workclass", …]       # where the file does not name its columns
test = "adult.test.gz"                # rows to test on, beside this file; by default a tenth is held out
comment = "|"                         # lines that begin so hold no row
target = "income"                     # what `evaluate --metrics utility` predicts

[kinds]                               # continuous, integer, category or drop; by default as the cells look
zip = "category"

[spellings.income]                    # what is written in several ways
">50K." = ">50K"
"""

import contextlib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from gen_jax.core.errors import UserError
from gen_jax.core.lines import visible

KINDS = ("continuous", "integer", "category", "drop")
ENTRIES = ("names", "test", "comment", "target", "kinds", "spellings")


class Plan(NamedTuple):
    """What was said; what was not is None or empty."""

    names: tuple[str, ...] | None = None
    test: str | None = None
    comment: str | None = None
    target: str | None = None
    kinds: Mapping[str, str] = {}
    spellings: Mapping[str, Mapping[str, str]] = {}


def plan(text: str | None) -> Plan:
    """`Plan` of what stands after --columns. Raises UserError for what is none, with what would be."""
    if text is None:
        return Plan()
    if Path(text).suffix.lower() == ".toml":
        return _of_file(Path(text).expanduser(), f"--columns {text}")
    kinds, target = {}, None
    for part in text.split(","):
        name, equals, kind = (piece.strip() for piece in part.rpartition("="))
        if not equals or not name:
            raise UserError(f"--columns {text}: give NAME=KIND with commas between, or a file that ends in .toml")
        if kind == "target":
            target = name
        else:
            kinds[name] = _kind(kind, name, "--columns")
    return Plan(target=target, kinds=kinds)


def files_of(text: str | None) -> list[Path]:
    """The files that stand after --columns: that of TOML, and the rows to test on that it names. Those that are not
    there are none, and a file that is no plan names no other: who reads the data says so."""
    if text is None or Path(text).suffix.lower() != ".toml":
        return []
    found = [Path(text).expanduser()]
    with contextlib.suppress(UserError):
        test = plan(text).test
        found += [Path(test)] if test else []
    return [file for file in found if file.is_file()]


def check_names(plan: Plan, names: tuple[str, ...], what: str) -> None:
    """Raises UserError where the plan is of a column that the table has not."""
    said = [*plan.kinds, *plan.spellings, *([] if plan.target is None else [plan.target])]
    if lost := [name for name in said if name not in names]:
        there = ", ".join(visible(name) for name in names[:12])
        raise UserError(f"--columns: {what} has no column {visible(lost[0])!r}; it has {there}")
    if plan.target is not None and plan.kinds.get(plan.target) == "drop":
        raise UserError(f"--columns: {visible(plan.target)!r} is the target and left out; choose one of the two")


def _of_file(file: Path, what: str) -> Plan:
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{what}: there is no such file") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{what}: no TOML ({error})") from error
    if unknown := [name for name in found if name not in ENTRIES]:
        raise UserError(f"{what}: there is no entry {visible(unknown[0])!r}; there are {', '.join(ENTRIES)}")
    for name in ("test", "comment", "target"):
        if name in found and not (isinstance(found[name], str) and found[name]):
            raise UserError(f"{what}: `{name}` is a text")
    names = found.get("names")
    if names is not None and not (isinstance(names, list) and names and all(isinstance(name, str) for name in names)):
        raise UserError(f'{what}: `names` is a list of texts, a name a column: names = ["age", "income"]')
    kinds = {name: _kind(kind, name, what) for name, kind in _texts(found.get("kinds", {}), f"{what}: [kinds]").items()}
    spellings = found.get("spellings", {})
    if not isinstance(spellings, dict):
        raise UserError(f'{what}: write [spellings.COLUMN] and below it "as written" = "as meant"')
    said = {name: _texts(each, f"{what}: [spellings.{visible(name)}]") for name, each in spellings.items()}
    test = found.get("test")
    if test is not None:
        test = str((file.parent / Path(test).expanduser()).resolve())
        if not Path(test).is_file():
            raise UserError(f"{what}: `test` names {test}, and there is no such file")
    return Plan(None if names is None else tuple(names), test, found.get("comment"), found.get("target"), kinds, said)


def _kind(kind: Any, name: str, what: str) -> str:
    if kind not in KINDS:
        raise UserError(f"{what}: column {visible(name)!r} is to be {visible(kind)!r}; there are {', '.join(KINDS)}")
    return kind


def _texts(found: Any, what: str) -> dict[str, str]:
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise UserError(f'{what}: write NAME = "text", a line each')
    return found
