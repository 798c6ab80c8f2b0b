"""Which values a setting may have, declared beside it and checked before anything is read or written.

    from gen_jax.core.domains import Interval, Positive, Size

    width: Size = 32                                          # one of the names below
    groups: Annotated[int, Interval(1, 8)] = 4                # or an interval of its own
    factor: Annotated[float, Interval(0, 1, "open")] = 0.5

A field that is declared again in an extending class (to give it another default) keeps its domain. A number without
any has one all the same: floats are finite, whole numbers fit 64 bits, and the field's own default is always among
them. No JAX.
"""

import dataclasses
import functools
import math
import types
import typing
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal

from gen_jax.core.errors import UserError

LARGEST = 3.4028234663852886e38  # float32's: beyond it a scalar of the state would be infinite
LAST_SEED = 2**32 - 1  # a PRNG key is made of 32 bits: larger seeds would be others in disguise

Ends = Literal["closed", "open", "left-open", "right-open"]


@dataclasses.dataclass(frozen=True)
class Interval:
    """Numbers from `low` to `high`; an end that is None is that of finite numbers, an open one is left out.

    `also`: single values beside them, such as inf. `step`: multiples of it only.
    """

    low: float | None = None
    high: float | None = None
    ends: Ends = "closed"
    step: int | None = None
    also: tuple[float, ...] = ()

    @property
    def low_open(self) -> bool:
        return self.ends in ("open", "left-open")

    @property
    def high_open(self) -> bool:
        return self.ends in ("open", "right-open")

    def __contains__(self, value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        if value in self.also:
            return True
        if isinstance(value, float) and not math.isfinite(value):
            return False
        low, high = -LARGEST if self.low is None else self.low, LARGEST if self.high is None else self.high
        if value < low or value > high or (value == low and self.low_open) or (value == high and self.high_open):
            return False
        return self.step is None or value % self.step == 0

    def __str__(self) -> str:
        """What a person may give: "above 0", "from 1 to 100", "0 or more"."""
        low, high = _plain(self.low), _plain(self.high)
        if self.low is None and self.high is None:
            words = f"of size {LARGEST:.1e} or less"
        elif self.high is None:
            words = f"above {low}" if self.low_open else f"{low} or more"
        elif self.low is None:
            words = f"below {high}" if self.high_open else f"{high} or less"
        elif self.ends == "closed":
            words = f"from {low} to {high}"
        else:
            words = f"{'above' if self.low_open else 'from'} {low} {'and below' if self.high_open else 'to'} {high}"
        words += f", a multiple of {self.step}" if self.step else ""
        return " or ".join([words, *map(_plain, self.also)])

    @property
    def brief(self) -> str:
        """The same for help, where the largest number of 32 bits is as good as none."""
        return f"{_plain(self.low)} or more" if self == Interval(self.low, 2**31 - 1) else str(self)


def _plain(value: float | None) -> str:
    """0.5, 1000000."""
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, int) or (math.isfinite(value) and value == int(value)) else f"{value:g}"


# ---- the names that settings use -------------------------------------------------------------------------------------
Finite = Annotated[float, Interval()]
Positive = Annotated[float, Interval(0, None, "left-open")]  # a standard deviation, a norm
NonNegative = Annotated[float, Interval(0, None)]  # a weight, a learning rate (0: the player rests)
Probability = Annotated[float, Interval(0, 1)]
Share = Annotated[float, Interval(0, 1, "right-open")]  # of what is kept of an average, or left out: never all of it
Count = Annotated[int, Interval(1, 2**31 - 1)]  # of steps: they are counted in 32 bits
Whole = Annotated[int, Interval(0, 2**31 - 1)]  # the same from 0 on, which mostly means never
Size = Annotated[int, Interval(1, 1_000_000)]  # channels, latents, units: what memory holds of them is asked later
Depth = Annotated[int, Interval(1, 100)]  # layers, blocks: each is traced and compiled, one after another
DepthOrZero = Annotated[int, Interval(0, 100)]
Turns = Annotated[int, Interval(1, 1_000)]  # steps of a player in one round
Seeds = Annotated[int, Interval(1, 10_000)]  # how many: each is a run of its own
Sample = Annotated[int, Interval(1, 1_000_000)]  # samples and examples that are drawn to be measured
Picture = Annotated[int, Interval(1, 10_000)]  # rows and columns of pictures
Frames = Annotated[int, Interval(2, 10_000)]  # of a walk, both ends included
Pixels = Annotated[int, Interval(1, 65_536)]
Seed = Annotated[int, Interval(0, LAST_SEED)]

_FLOAT = Interval()
_INT = Interval(-(2**63), 2**63 - 1)
UNSAID = (_FLOAT, _INT)  # what goes without saying in help


# ---- reading declarations --------------------------------------------------------------------------------------------
def declared(hint: Any) -> Interval | None:
    """The domain that a type hint declares for its numbers: of `Positive`, `Positive | None`, `tuple[Size, ...]`."""
    if typing.get_origin(hint) is Annotated:
        base, *notes = typing.get_args(hint)
        found = [note for note in notes if isinstance(note, Interval)]
        return found[0] if found else declared(base)
    return next(filter(None, map(declared, typing.get_args(hint))), None)


def number(hint: Any) -> type | None:
    """int or float: the kind of number that a hint is about, alone, in a tuple or beside None; None for anything else.

    A Literal is no such hint: its values are declared one by one.
    """
    if hint in (int, float):
        return hint
    origin = typing.get_origin(hint)
    if origin is Annotated or origin in (tuple, list, typing.Union, types.UnionType):
        arguments = typing.get_args(hint)[:1] if origin is Annotated else typing.get_args(hint)
        kinds = {kind for kind in map(number, arguments) if kind is not None}
        return float if float in kinds else next(iter(kinds), None)
    return None


@functools.cache
def of_class(kind: type) -> dict[str, Interval]:
    """Field to domain, of a dataclass: what it declares itself, else what a class that it extends does, else `Finite`
    (or 64 bits). Fields that hold no numbers are left out."""
    found: dict[str, Interval] = {}
    for name, hint in hints(kind).items():
        own = next(filter(None, (declared(each.get(name)) for each in _declarations(kind))), None)
        if (plain := number(hint)) is not None:
            found[name] = own or (_INT if plain is int else _FLOAT)
    return found


def of_all(kind: type, prefix: str = "") -> dict[str, Interval]:
    """`of_class`, with the fields of dataclasses inside it by dotted names."""
    own, found = of_class(kind), dict[str, Interval]()
    for name, hint in hints(kind).items():
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            found |= of_all(hint, f"{prefix}{name}.")
        elif name in own:
            found[prefix + name] = own[name]
    return found


def of_function(function: Callable[..., Any]) -> dict[str, Interval]:
    """Argument to domain, of a function."""
    found = {}
    for name, hint in typing.get_type_hints(function, include_extras=True).items():
        if name != "return" and (plain := number(hint)) is not None:
            found[name] = declared(hint) or (_INT if plain is int else _FLOAT)
    return found


def hints(kind: type) -> dict[str, Any]:
    """Type hints of a dataclass's fields, as declared; Any where they are texts of names that cannot be found."""
    known = _resolved(kind)
    return {field.name: known.get(field.name, Any) for field in dataclasses.fields(kind)}


def _resolved(kind: type) -> dict[str, Any]:
    try:
        return typing.get_type_hints(kind, include_extras=True)
    except NameError:  # annotations as texts, of a class inside a function
        return functools.reduce(dict.__or__, map(_resolved, reversed(kind.__bases__)), {})


def _declarations(kind: type) -> Iterator[dict[str, Any]]:
    """The hints of a class as each of its classes sees them, itself first."""
    return (_resolved(each) for each in kind.__mro__ if dataclasses.is_dataclass(each))


# ---- checking --------------------------------------------------------------------------------------------------------
def check(settings: Any, prefix: str = "--") -> None:
    """Raises UserError, naming the flag and what would work, at the first field of a dataclass (and of those in it)
    whose value is outside its domain."""
    defaults = {field.name: field.default for field in dataclasses.fields(settings)}
    domains = of_class(type(settings))
    for name, default in defaults.items():
        value = getattr(settings, name)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            check(value, f"{prefix}{flag(name)}.")
        elif isinstance(value, dict):  # a script's hypers may be a mapping
            for key, each in value.items():
                check_value(each, _FLOAT, f"{prefix}{flag(name)}.{key}")
        elif name in domains and not (domains[name] in (_FLOAT, _INT) and _same(value, default)):
            check_value(value, domains[name], f"{prefix}{flag(name)}")


def check_value(value: Any, domain: Interval, name: str) -> None:
    """Raises UserError where a number, or one of several, is outside the domain. None and other kinds pass."""
    for each in value if isinstance(value, (tuple, list)) else (value,):
        if isinstance(each, (int, float)) and not isinstance(each, bool) and each not in domain:
            kind = "whole " if isinstance(each, int) else "" if math.isfinite(each) else "finite "
            huge = domain not in UNSAID and math.isfinite(each) and abs(each) > LARGEST
            inside = f"{domain}, {_FLOAT}" if huge else str(domain)
            raise UserError(f"{name} {_given(each)}: give a {kind}number {inside}")


def check_call(function: Callable[..., Any], arguments: dict[str, Any]) -> None:
    """`check` of the arguments of a call, by name; of those that are dataclasses, too."""
    for value in arguments.values():
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            check(value)
    for name, domain in of_function(function).items():
        if name in arguments:
            check_value(arguments[name], domain, f"--{flag(name)}")


def flag(name: str) -> str:
    """A field as the command line spells it."""
    return name.replace("_", "-")


def _given(value: float) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:20]}… ({len(text)} digits)"


def _same(value: Any, default: Any) -> bool:
    return value == default or (value != value and default != default)
