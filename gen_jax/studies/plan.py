"""What a study will run: the arms of a grid, and which of them share a compiled program.

A grid names fields of an experiment's settings and the values that each takes; the arms are all combinations, in the
order given, the first being the baseline unless another is named. Arms that differ in `hyper.*` numbers only are one
program: hyperparameters live in the state, not in the program. Whatever else differs is structure.
"""

import dataclasses
import enum
import itertools
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gen_jax.core import domains
from gen_jax.core.errors import UserError
from gen_jax.core.near import near
from gen_jax.runs.config import Config
from gen_jax.runs.folder import EXECUTION
from gen_jax.runs.settings import from_json, to_json

# Not for a grid: they have options of their own, or change where and how fast a run goes and never its results.
REFUSED = {
    "seed": "use --seeds",
    "run_dir": "use --study-dir",
    "deterministic": "it is set for a whole process; give --deterministic beside the grid",
} | {name: "it changes how a run executes, never its results" for name in EXECUTION if name not in ("run_dir", "steps")}

Settings = typing.TypeVar("Settings")  # a dataclass of settings, the experiment's or a group in it


class Arm(NamedTuple):
    """One combination of values. `name` is that of its folder, too."""

    name: str
    settings: dict[str, Any]  # dotted field -> value
    config: Config  # the whole settings; seed and run_dir are those of the study's base

    @property
    def structure(self) -> str:
        """Equal for arms that are expected to be one program."""
        return "; ".join(f"{name}={label(value)}" for name, value in self.settings.items() if not is_hyper(name, value))


def is_hyper(name: str, value: Any) -> bool:
    """Whether a field holds a number that lives in the state."""
    return name.startswith("hyper.") and isinstance(value, (int, float))


def fields(config_type: type) -> dict[str, Any]:
    """Every field that may be given by dotted name, with its type; nested dataclasses are opened."""
    found: dict[str, Any] = {}
    made = {field.name for field in dataclasses.fields(config_type) if not field.init}
    for name, kind in typing.get_type_hints(config_type).items():
        if name in made:
            continue
        if dataclasses.is_dataclass(kind):
            found |= {f"{name}.{inner}": each for inner, each in fields(typing.cast(type, kind)).items()}
        else:
            found[name] = kind
    return found


def parse_grid(config_type: type, texts: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """`["loss=hinge,minimax", "hyper.b1=0,0.5"]` -> values by field. Raises UserError, naming what is wrong."""
    grid: dict[str, tuple[Any, ...]] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        if not equals or not values:
            raise UserError(f"--grid {text}: write FIELD=VALUE,VALUE, such as hyper.b1=0,0.5")
        if name in grid:
            raise UserError(f"--grid {name} is given twice; put all of its values into one, {name}=…,…")
        grid[name] = tuple(values.split(","))
    return check_grid(config_type, grid)


def check_grid(config_type: type, grid: Mapping[str, Sequence[Any]]) -> dict[str, tuple[Any, ...]]:
    """The grid with every value of its field's type (texts and enum names are read) and in its domain. Raises UserError
    otherwise."""
    kinds, known = fields(config_type), domains.of_all(config_type)
    checked: dict[str, tuple[Any, ...]] = {}
    for name, values in grid.items():
        kind = kind_of(kinds, name)
        if name in REFUSED:
            raise UserError(f"--grid {name}: no field for a grid; {REFUSED[name]}")
        if isinstance(values, (str, bytes)) or not values:
            raise UserError(f"--grid {name}: give a list of values, and at least one")
        checked[name] = tuple(read(kind, value, name) for value in values)
        for value in checked[name]:
            if name in known:
                domains.check_value(value, known[name], f"--grid {name}:")
        labels = [label(value) for value in checked[name]]
        if twice := [each for each in dict.fromkeys(labels) if labels.count(each) > 1]:
            raise UserError(f"--grid {name}: {twice[0]} is there twice")
    return checked


def kind_of(kinds: Mapping[str, Any], name: str) -> Any:
    """The type of a field. Raises UserError for an unknown one, with the names that come close."""
    if name in kinds:
        return kinds[name]
    # A group such as `hyper`, or the last part of a dotted name, deserves a better answer than spelling distance.
    close = [full for full in kinds if full.startswith(f"{name}.") or full.split(".")[-1] == name.split(".")[-1]]
    close = close or [full for full in kinds if full.split(".")[-1].startswith(f"{name}_")]  # lr: hyper.lr_generator
    close = close or near(name, kinds, 3, 0.5)
    meant = f"did you mean {' or '.join(close[:3])}?" if close else f"there are {', '.join(kinds)}"
    raise UserError(f"--grid {name}: the experiment has no such field; {meant}")


def read(kind: Any, value: Any, name: str) -> Any:
    """A value of type `kind`: as it is, or read from text. Raises UserError where it is neither."""
    origin, options = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return read(options[0], value, name)
    if origin in (typing.Union, types.UnionType):
        if value is None or (value == "None" and type(None) in options):
            return None
        return _read_one([option for option in options if option is not type(None)], value, name)
    if origin is typing.Literal:
        if found := [option for option in options if value == option or value == str(option)]:
            return found[0]
        raise UserError(f"--grid {name}: {value} is none of {', '.join(map(str, options))}")
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        if isinstance(value, kind):
            return value
        if value in kind.__members__:
            return kind[value]
        close = near(str(value), kind.__members__, 3)
        meant = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(kind.__members__)}"
        raise UserError(f"--grid {name}: there is no {value}; {meant}")
    if kind is bool:
        known = {"true": True, "false": False, "True": True, "False": False, True: True, False: False}
        if value in known:
            return known[value]
        raise UserError(f"--grid {name}: {value} is neither true nor false")
    if kind in (int, float):
        try:
            number = kind(value)
        except (TypeError, ValueError):
            raise UserError(f"--grid {name}: {value!r} is no {'whole ' if kind is int else ''}number") from None
        if kind is int and number != (value if isinstance(value, float) else number):
            raise UserError(f"--grid {name}: {value!r} is no whole number")
        return number
    if kind in (str, Path):
        return kind(value)
    if isinstance(value, str):
        raise UserError(f"--grid {name}: values of this kind cannot be read from the command line; use Python")
    return value


def _read_one(options: Sequence[Any], value: Any, name: str) -> Any:
    """`read` by the first option of a union that takes the value, literals before others."""
    if type(value) in options and not isinstance(value, str):
        return value
    *others, last = sorted(options, key=lambda each: typing.get_origin(each) is not typing.Literal)
    for option in others:
        try:
            return read(option, value, name)
        except UserError:
            continue  # the last one says what is wrong
    return read(last, value, name)


def replace(config: Settings, settings: Mapping[str, Any]) -> Settings:
    """The settings dataclass with fields, named with dots, replaced."""
    own, nested = {}, {}
    for name, value in settings.items():
        group, dot, inner = name.partition(".")
        if dot:
            nested.setdefault(group, {})[inner] = value
        else:
            own[name] = value
    own |= {group: replace(getattr(config, group), inner) for group, inner in nested.items()}
    return dataclasses.replace(config, **own)  # pyright: ignore[reportArgumentType, reportUnknownArgumentType]


def arms(base: Config, grid: Mapping[str, Sequence[Any]]) -> list[Arm]:
    """All combinations of a checked grid, the last field varying fastest; without a grid, the base alone."""
    combinations = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    made = [Arm(name_of(settings), settings, replace(base, settings)) for settings in combinations]
    if len({arm.name for arm in made}) < len(made):
        raise UserError("two arms of this grid would share a folder; give values that differ in their letters")
    return made


def groups(arms: Sequence[Arm]) -> list[list[Arm]]:
    """The arms by expected program, in order."""
    found: dict[str, list[Arm]] = {}
    for arm in arms:
        found.setdefault(arm.structure, []).append(arm)
    return list(found.values())


def label(value: Any) -> str:
    """A value as people and folders call it."""
    plain = to_json(value)
    if isinstance(plain, float):
        return f"{plain:.6g}"
    return "x".join(map(str, plain)) if isinstance(plain, list) else str(plain)


def exact(value: Any) -> str:
    """The `label` of a value in full: other texts for other values, one text for a number however it was written."""
    plain = to_json(value)
    if isinstance(plain, list):
        return "x".join(map(exact, plain))
    if isinstance(plain, int | float) and not isinstance(plain, bool) and float(plain) == plain:
        return repr(float(plain)).removesuffix(".0")
    return repr(plain)


def name_of(settings: Mapping[str, Any]) -> str:
    """`loss=hinge,b1=0.5`: of an arm and its folder. The group's name is dropped, being the same everywhere."""
    text = ",".join(f"{name.removeprefix('hyper.')}={label(value)}" for name, value in settings.items()) or "base"
    return "".join(c if c.isalnum() or c in "-_.,=+" else "-" for c in text)


def grid_to_json(grid: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    return {name: [to_json(value) for value in values] for name, values in grid.items()}


def grid_from_json(config_type: type, grid: Mapping[str, Sequence[Any]]) -> dict[str, tuple[Any, ...]]:
    kinds = fields(config_type)
    return {name: tuple(from_json(kinds[name], value) for value in values) for name, values in grid.items()}
