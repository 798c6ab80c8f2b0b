"""Settings survive JSON, differences are named, and fields that a script lacks are refused."""

import enum
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from gen_jax.core.errors import UserError
from gen_jax.runs import paths
from gen_jax.runs.settings import differences, flatten, from_json, to_json


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
