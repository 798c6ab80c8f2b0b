"""What pictures of a conditional model are given."""

from types import SimpleNamespace

import numpy as np
import pytest

from gen_jax.core.errors import UserError
from gen_jax.data import source
from gen_jax.runs.given import by_class, in_turn, of_class


def data(classes=3, **more):
    count = 5
    arrays = {"x": np.arange(count * 4, dtype=np.uint8).reshape(count, 2, 2, 1), **more}
    if classes:
        arrays["label"] = np.array([2, 2, 0, 1, 1], np.int32)
    return source.from_arrays("made", arrays, arrays, classes)


def test_classes_take_turns_whatever_the_data_hold():
    assert in_turn(("label",), data(), 7)["label"].tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert in_turn((), data(), 7) == {}


def test_anything_else_is_that_of_held_out_examples():
    given = in_turn(("mask", "x"), data(mask=np.arange(5, dtype=np.float32)), 7)
    assert given["mask"].tolist() == [0, 1, 2, 3, 4, 0, 1]
    assert given["x"].shape == (7, 2, 2, 1)
    assert given["x"].dtype == np.float32
    assert float(given["x"].max()) <= 1


def test_a_class_of_a_persons_choice():
    assert of_class(2, ("label",), data(), 3)["label"].tolist() == [2, 2, 2]
    assert of_class(None, ("label",), data(), 3)["label"].tolist() == [0, 1, 2]
    with pytest.raises(UserError, match="--label 3: this run's data has 3 classes"):
        of_class(3, ("label",), data(), 3)
    with pytest.raises(UserError, match="--label 1: this model is not told labels; leave --label out"):
        of_class(1, (), data(), 3)


def test_what_the_data_lack_is_one_line():
    with pytest.raises(UserError, match="this model is given label, which made does not have"):
        in_turn(("label",), data(classes=None), 3)


def test_samples_of_named_classes_are_rows_of_one_class_each():
    source = SimpleNamespace(classes=3, names=("a", "b", "c"))
    images, labels = np.arange(8)[:, None], {"label": np.arange(8) % 3}
    rows, names = by_class(images, labels, source)
    assert names == ["a", "b", "c"]
    assert rows[..., 0].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert by_class(images, {"label": np.full(8, 1)}, source) is None
    assert by_class(images[:2], {"label": np.arange(2)}, source) is None
    assert by_class(images, {}, source) is None
    assert by_class(images, labels, SimpleNamespace(classes=3, names=None)) is None
