"""Settings survive JSON, differences are named, and fields that a script lacks are refused."""

import enum
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytest

from gen_jax.core.domains import Size
from gen_jax.core.errors import UserError
from gen_jax.runs import paths
from gen_jax.runs.settings import check_kept, differences, flatten, from_json, to_json


class Colour(enum.Enum):
    RED = (1, 2)
    BLUE = (3, 4)


@dataclass(frozen=True)
class Hyper:
    lr: float = 1e-3


@dataclass(frozen=True)
class Settings:
    steps: int = 1
    folder: Path | None = None
    colour: Colour = Colour.RED
    sizes: tuple[int, ...] = (1, 2)
    kind: Literal["a", "b"] = "a"
    hyper: Hyper = field(default_factory=Hyper)


@pytest.mark.parametrize(
    "settings", [Settings(), Settings(7, Path("/x/y"), Colour.BLUE, (3,), "b", Hyper(0.5)), Settings(sizes=())]
)
def test_round_trip_through_text(settings):
    assert from_json(Settings, json.loads(json.dumps(to_json(settings)))) == settings


@dataclass(frozen=True)
class Endless:
    limit: float = math.inf
    weights: tuple[float, ...] = (1.0, -math.inf)
    hyper: dict[str, float] = field(default_factory=lambda: {"lr": math.inf})
    either: int | float = 0.5
    pair: tuple[int, str] = (1, "a")


def test_what_is_not_finite_never_becomes_null_and_is_read_back():
    stored = json.dumps(to_json(Endless()), allow_nan=False)
    assert "null" not in stored
    assert from_json(Endless, json.loads(stored)) == Endless()
    assert math.isnan(from_json(float, json.loads(json.dumps(to_json(math.nan), allow_nan=False))))


def test_differences_name_each_field_both_ways():
    old, new = to_json(Settings()), to_json(Settings(2, colour=Colour.BLUE, hyper=Hyper(0.5)))
    assert differences(old, new, ignore=("steps",)) == [
        "colour is 'RED' there and 'BLUE' here",
        "hyper.lr is 0.001 there and 0.5 here",
    ]
    assert differences({"gone": 1}, {}, ()) == ["gone is 1 there and None here"]


def test_flatten_and_unknown_fields():
    assert flatten({"a": 1, "b": {"c": 2}}) == {"a": 1, "b.c": 2}
    with pytest.raises(UserError, match="lacks: wrong"):
        from_json(Settings, {"wrong": 1})


@pytest.mark.parametrize(
    ("spec", "shown"),
    [
        ("mnist5k", "mnist5k"),
        ("tfds:cifar10", "tfds:cifar10"),
        ("folder:/home/me/pics", "folder:pics"),
        ("few:50:table:/data/rows.csv", "few:50:table:rows.csv"),
        ("edges:pairs:/a/b", "edges:pairs:b"),
    ],
)
def test_a_caption_has_the_name_of_data_and_not_where_they_lie(spec, shown):
    assert paths.short_spec(spec) == shown


class Pair(NamedTuple):
    count: int
    place: Path


KEPT: list[tuple[Any, Any]] = [
    (bool | Literal["big"], "big"), (bool | Literal["big"], True), (int | Literal["auto"], "auto"),
    (Size | Literal["auto"], 5), (Literal["auto"] | Size, "auto"), (Path | Literal["auto"], "auto"),
    (Path | Literal["auto"], Path("x")), (Literal[Colour.RED, "x"], Colour.RED), (Literal[1, "1"], "1"),
    (tuple[int, int] | int, 3), (tuple[int, int] | int, (3, 4)), (int | tuple[Colour, ...], (Colour.BLUE,)),
    (float | str, "x"), (float | str, math.inf), (str | int, 3), (int | float, 1.5), (int | bool, True),
    (bool | int, 1), (bool | float, 0.5), (bool | None, False), (float | None, math.nan), (Hyper | int, Hyper(0.5)),
    (Colour | int, 3), (list[Colour], [Colour.RED]), (set[int], {2, 1}), (frozenset[str], frozenset("ab")),
    (set, {1}), (tuple, (1, "a")), (dict[int, Path], {1: Path("x")}), (dict[str, Hyper], {"a": Hyper(2.0)}),
    (float, 1), (list, []), (Sequence[int], (1, 2)), (Sequence[Colour], (Colour.RED,)), (Pair, Pair(1, Path("x"))),
]  # fmt: skip
LOST: list[tuple[Any, Any]] = [
    (str | float, math.inf), (float | str, "nan"), (str | Path, Path("x")), (set[int] | tuple[int, ...], (1, 2)),
    (complex, 1j), (bytes, b"x"), (object, math.sin), (dict, {1: 2}), (str, Path("x")), (int, 1.5), (Any, (1, 2)),
    (list[int], (1, 2)), (dict[str, Any], {"a": {1}}), (Colour, "RED"), (bool, 2),
]  # fmt: skip


def holder(kind, value):
    inner = make_dataclass("Inner", [("a_field", kind)], frozen=True)
    return make_dataclass("Outer", [("steps", int), ("net", inner)], frozen=True)(1, inner(value))


@pytest.mark.parametrize(("kind", "value"), KEPT, ids=range(len(KEPT)))
def test_what_is_kept_comes_back_as_it_was(kind, value):
    settings = holder(kind, value)
    back = from_json(type(settings), json.loads(json.dumps(to_json(settings), allow_nan=False))).net.a_field
    assert repr(back) == repr(value) or (back == value and type(value) in (int, set, frozenset))
    check_kept(settings)


@pytest.mark.parametrize(("kind", "value"), LOST, ids=range(len(LOST)))
def test_what_json_cannot_keep_is_named_before_a_run(kind, value):
    with pytest.raises(UserError, match=r"^--net\.a-field .*config\.json cannot keep it") as refused:
        check_kept(holder(kind, value))
    assert "\n" not in str(refused.value)


def twice(settings):
    object.__setattr__(settings, "twice", 2 * settings.size)


def test_a_field_that_nobody_gives_follows_from_the_others():
    fields = [("size", int), ("twice", int, field(init=False, default=2))]
    odd = make_dataclass("Odd", fields, frozen=True, namespace={"__post_init__": twice})
    assert to_json(odd(3)) == {"size": 3}
    check_kept(odd(3))
    assert from_json(odd, {"size": 3}).twice == 6
    with pytest.raises(UserError, match="Odd of experiment.py lacks: twice"):
        from_json(odd, {"size": 3, "twice": 6})


def test_a_field_that_does_not_follow_is_named_by_its_class():
    made = iter(range(9))
    count = field(init=False, default_factory=lambda: next(made))
    odd = make_dataclass("Odd", [("size", int), ("count", int, count)])
    with pytest.raises(UserError, match="the Odd of these settings.*it would come back as .*count=1"):
        check_kept(odd(1))
