"""Hypers as a script gives them: what is taken, and what is one line."""

from dataclasses import dataclass

import numpy as np
import pytest

from gen_jax.core.compose import without
from gen_jax.core.errors import UserError
from gen_jax.models import hypers


@dataclass(frozen=True)
class Hyper:
    lr: float = 0.1
    weight: float | None = None


def test_a_mapping_or_a_dataclass_without_what_is_none():
    assert hypers.values_of(Hyper()) == hypers.values_of({"lr": 0.1, "weight": None}) == {"lr": 0.1}
    assert hypers.values_of({"lr": np.float32(0.5)}) == {"lr": 0.5}


@pytest.mark.parametrize(
    ("hyper", "match"),
    [
        (None, "hyper=None: give a mapping or a dataclass"),
        ([0.1], "give a mapping or a dataclass"),
        (Hyper, "give a mapping or a dataclass"),
        ({"lr": "fast"}, "hyper lr: 'fast' is no number"),
        ({"lr": {"start": 0.1}}, "is no number"),
        ({"lr": lambda step: 0.1}, "is no number"),
        ({"lr": [0.1, 0.2]}, r"hyper lr: \[0.1, 0.2\] is no number"),
    ],
)
def test_what_is_no_number_is_one_line(hyper, match):
    with pytest.raises(UserError, match=match) as caught:
        hypers.values_of(hyper)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("names", "match"),
    [
        (["lr"], "hyper lr: this model reads it, and it has no value; hand it to the model by hyper="),
        (["lr_one", "beta"], "hyper lr_one, beta: this model reads them, and they have no value.*--hyper.lr_one"),
    ],
)
def test_what_a_model_reads_and_nobody_gave_is_asked_for(names, match):
    assert "\n" not in str(without(names))
    with pytest.raises(UserError, match=match):
        raise without(names)
