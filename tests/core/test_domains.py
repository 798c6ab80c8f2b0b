"""Domains of settings: declared, inherited, of scripts that declare none; a mistake is one line."""

import math
from dataclasses import dataclass, field
from typing import Annotated, Any

import pytest

from gen_jax.core import domains
from gen_jax.core.domains import Count, Interval, NonNegative, Positive, Share, Size
from gen_jax.core.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Base:
    width: Size = 8
    decay: Share | None = 0.9
    sizes: tuple[Size, ...] = (1, 2)
    even: Annotated[int, Interval(2, 8, step=2)] = 4
    budget: Annotated[float, Interval(0, None, also=(math.inf,))] = math.inf


@dataclass(frozen=True, kw_only=True)
class Hyper:
    lr: NonNegative = 1e-3


@dataclass(frozen=True, kw_only=True)
class Own(Base):
    """What a stranger writes: plain annotations, other defaults, a mapping of hypers."""

    width: int = 16
    decay: float | None = None
    plain: float = 1.0
    endless: float = math.inf
    whole: int = 3
    on: bool = True
    name: str = "x"
    hyper: Hyper = Hyper()
    scalars: dict[str, float] = field(default_factory=lambda: {"lr": 0.1})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"width": 0}, "--width 0: give a whole number from 1 to 1000000"),
        ({"decay": 1.0}, "--decay 1.0: give a number from 0 and below 1"),
        ({"decay": math.nan}, "--decay nan: give a finite number from 0 and below 1"),
        ({"sizes": (1, 0)}, "--sizes 0: give a whole number from 1 to 1000000"),
        ({"even": 3}, "--even 3: give a whole number from 2 to 8, a multiple of 2"),
        ({"budget": -1.0}, "--budget -1.0: give a number 0 or more or inf"),
        ({"plain": math.inf}, "--plain inf: give a finite number of size 3.4e+38 or less"),
        ({"plain": 1e39}, "--plain 1e+39: give a number of size 3.4e+38 or less"),
        ({"endless": math.nan}, "--endless nan: give a finite number"),
        ({"whole": 2**70}, "--whole 1180591620717411303424: give a whole number from -9223372036854775808"),
        ({"hyper": Hyper(lr=-1.0)}, "--hyper.lr -1.0: give a number 0 or more"),
        ({"scalars": {"lr": math.nan}}, "--scalars.lr nan: give a finite number"),
        ({"width": 10**60}, "--width 10000000000000000000… (61 digits): give a whole number"),
    ],
)
def test_a_value_outside_is_one_line(changes, words):
    with pytest.raises(UserError) as refused:
        domains.check(Own(**changes))
    assert str(refused.value).startswith(words)


@pytest.mark.parametrize(
    "changes", [{}, {"decay": None}, {"sizes": ()}, {"budget": 3.0}, {"endless": 2.0}, {"on": False}, {"even": 8}]
)
def test_a_value_inside_passes(changes):
    domains.check(Own(**changes))


def test_a_default_that_an_extending_class_puts_outside_is_refused():
    @dataclass(frozen=True, kw_only=True)
    class Wrong(Base):
        width: int = -1

    with pytest.raises(UserError, match="--width -1"):
        domains.check(Wrong())


def test_annotations_as_texts_that_cannot_be_found_cost_only_their_own_domain():
    @dataclass(frozen=True, kw_only=True)
    class Far(Base):
        width: "int" = 4
        other: "Nowhere" = None  # noqa: F821  # pyright: ignore

    domains.check(Far())
    with pytest.raises(UserError, match="--width 0: give a whole number from 1"):
        domains.check(Far(width=0))


def test_arguments_of_a_function():
    def verb(run: str, count: Count = 1, extent: Positive | None = None, other: Any = 3) -> None: ...

    assert list(domains.of_function(verb)) == ["count", "extent"]
    domains.check_call(verb, {"run": "x", "count": 5, "extent": None})
    with pytest.raises(UserError, match="--extent 0.0: give a number above 0"):
        domains.check_call(verb, {"extent": 0.0})


def test_words_for_help():
    assert Interval(1, 2**31 - 1).brief == "1 or more"
    assert str(Interval(0, 1, "open")) == "above 0 and below 1"
    assert str(Interval(None, 1)) == "1 or less"
