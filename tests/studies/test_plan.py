"""Grids: read against the settings' types, refused with the right name, and grouped into programs."""

import enum
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from gen_jax import experiment
from gen_jax.core.errors import UserError
from gen_jax.studies import plan


class Loss(enum.Enum):
    hinge = 1
    non_saturating = 2


@dataclass(frozen=True)
class Hyper:
    lr_generator: float = 2e-4
    b1: float = 0.5


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    loss: Loss = Loss.non_saturating
    width: int = 8
    mode: Literal["a", "b"] = "a"
    flip: bool = False
    hyper: Hyper = field(default_factory=Hyper)


def test_values_are_read_by_the_fields_types():
    grid = plan.parse_grid(
        Config, ["loss=hinge,non_saturating", "width=4,8", "hyper.b1=0,.5", "flip=true,false", "image_size=8,None"]
    )
    assert grid == {
        "loss": (Loss.hinge, Loss.non_saturating),
        "width": (4, 8),
        "hyper.b1": (0.0, 0.5),
        "flip": (True, False),
        "image_size": (8, None),
    }
    assert all(isinstance(value, float) for value in grid["hyper.b1"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("loss", "FIELD=VALUE"),
        ("loss=", "FIELD=VALUE"),
        ("los=hinge", "did you mean loss"),
        ("hyper.lr_genrator=1", "did you mean hyper.lr_generator"),
        ("b1=0.5", "did you mean hyper.b1"),
        ("hyper=1", "did you mean hyper.lr_generator or hyper.b1"),
        ("loss=hing", "did you mean hinge"),
        ("width=4.5", "'4.5' is no whole number"),
        ("hyper.b1=much", "'much' is no number"),
        ("flip=maybe", "neither true nor false"),
        ("mode=c", "none of a, b"),
        ("seed=0,1", "use --seeds"),
        ("run_dir=x", "use --study-dir"),
        ("steps_per_call=1,2", "never its results"),
        ("width=4,4", "there twice"),
    ],
)
def test_mistakes_name_the_field_and_what_would_work(text, words):
    with pytest.raises(UserError, match=f"(?s)--grid {text.partition('=')[0]}.*{words}"):
        plan.parse_grid(Config, [text])


def test_a_field_cannot_be_given_twice():
    with pytest.raises(UserError, match="twice"):
        plan.parse_grid(Config, ["width=4", "width=8"])


def test_python_grids_take_values_as_they_are():
    grid = plan.check_grid(Config, {"loss": [Loss.hinge, "non_saturating"], "hyper.b1": [0, 0.5]})
    assert grid == {"loss": (Loss.hinge, Loss.non_saturating), "hyper.b1": (0.0, 0.5)}
    with pytest.raises(UserError, match="list of values"):
        plan.check_grid(Config, {"loss": "hinge"})


def test_arms_are_all_combinations_and_leave_the_rest_alone():
    base = Config(width=3, seed=5)
    arms = plan.arms(base, {"loss": (Loss.hinge, Loss.non_saturating), "hyper.b1": (0.0, 0.5, 0.9)})
    assert [arm.name for arm in arms][:4] == [
        "loss=hinge,b1=0", "loss=hinge,b1=0.5", "loss=hinge,b1=0.9", "loss=non_saturating,b1=0"
    ]  # fmt: skip
    assert arms[1].config == Config(width=3, seed=5, loss=Loss.hinge, hyper=Hyper(b1=0.5))
    assert [arm.name for arm in plan.arms(base, {})] == ["base"]


def test_hyperparameters_share_a_program_and_structure_does_not():
    arms = plan.arms(Config(), {"hyper.b1": (0.0, 0.5), "loss": (Loss.hinge, Loss.non_saturating), "width": (4, 8)})
    grouped = plan.groups(arms)
    assert [len(group) for group in grouped] == [2, 2, 2, 2]
    assert {arm.settings["hyper.b1"] for arm in grouped[0]} == {0.0, 0.5}
    assert grouped[0][0].structure == "loss=hinge; width=4"
    assert len(plan.groups(plan.arms(Config(), {"hyper.b1": (0.0, 0.5)}))) == 1


def test_names_are_fit_for_folders():
    arms = plan.arms(Config(), {"data_dir": (Path("/a b/c"),)})
    assert arms[0].name == "data_dir=-a-b-c"
    with pytest.raises(UserError, match="share a folder"):
        plan.arms(Config(), {"data": ("folder:a b", "folder:a-b")})


def test_a_grid_survives_json():
    grid = {"loss": (Loss.hinge,), "hyper.b1": (0.0,), "image_size": (None, 8)}
    assert plan.grid_from_json(Config, plan.grid_to_json(grid)) == grid
