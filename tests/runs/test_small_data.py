"""Data too small or too plain for a measure: what is possible is measured, and what is not is told in one line."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from evaluation_subjects import CONFIG, copier, gan, images, made, subject, vae, weights

from gen_jax.core.errors import UserError
from gen_jax.core.types import State
from gen_jax.data import source
from gen_jax.metrics import features
from gen_jax.metrics.signs import relative_distance
from gen_jax.nets.ladder import Encoder
from gen_jax.runs.evaluation import extractors, protocol
from gen_jax.runs.given import of_class, shown
from gen_jax.runs.watching import heldout, observe, tracking

MODEL = protocol.Model(10, "ema", "abc")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GEN_JAX_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def accuracy(monkeypatch):
    """LeNets that are not trained: pixels, under the test accuracy that is set here."""
    told = {"value": 1.0}

    def trained(data, fingerprint, train, test, cache_dir):
        made = features.pixels(train[0].shape[1:])
        return made._replace(name="LeNet", stamp={**made.stamp, "test_accuracy": told["value"]})

    monkeypatch.setattr(extractors.features, "trained", trained)
    return told


def data(train, test, labels=2, **more):
    """Images with labels in turn; `labels` of None: none, of an array: these, in turn."""
    splits = []
    for seed, count in enumerate((train, test)):
        split = {"x": images(count, seed)}
        if labels is not None:
            split["label"] = np.resize(np.arange(labels) if np.isscalar(labels) else labels, count).astype(np.int32)
        splits.append(split)
    classes = None if labels is None else int(np.max(labels)) + 1 if not np.isscalar(labels) else labels
    return source.from_arrays("npz:small", *splits, classes, **more)


# ---- features --------------------------------------------------------------------------------------------------------
FEATURES = [
    # data, the LeNet's accuracy, the features, the reason
    (data(200, 120), 1.0, "LeNet", None),
    (data(200, 120, 1), 1.0, "pixels", "npz:small has one class"),
    (data(200, 120, [3]), 1.0, "pixels", "the train images of npz:small are of one class"),
    (data(37, 30), 1.0, "pixels", "npz:small has 37 train images, and a LeNet takes 64"),
    (data(200, 120), 0.5, "pixels", "its accuracy on the 120 test images of npz:small is 0.5, and calling all"),
    (data(200, 120), 0.55, "pixels", "is 0.55, and calling all of them the commonest class gives 0.5"),
    (data(200, 120), 0.7, "LeNet", None),
    (data(200, 120, [0] * 9 + [1]), 0.9, "pixels", "is 0.9, and calling all of them the commonest class gives 0.9"),
    (data(200, 3), 1.0, "pixels", "its accuracy on the 3 test images"),
    (data(200, 120, None), 1.0, "pixels", None),
]


@pytest.mark.parametrize(("source", "reached", "name", "reason"), FEATURES)
def test_features_fall_back_aloud(accuracy, capsys, source, reached, name, reason):
    accuracy["value"] = reached
    found = extractors.make("auto", source, CONFIG)
    told = capsys.readouterr().err
    assert found.name == name
    assert told.startswith("features are pixels, not a LeNet's: ") if reason else not told
    assert (reason or "") in told
    assert told.count("\n") == (reason is not None)


def test_many_pixels_fall_back_to_as_many_components_as_there_are_images(capsys):
    random = np.random.RandomState(0)
    split = {"x": random.randint(0, 256, (30, 64, 65, 1)).astype(np.uint8), "label": np.arange(30, dtype=np.int32) % 2}
    found = extractors.make("auto", source.from_arrays("npz:large", split, split, 2), CONFIG)
    assert (found.name, found.dimension) == ("PCA", 30)
    assert "features are pca, not a LeNet's" in capsys.readouterr().err


def test_a_lenet_that_was_asked_for_is_used_aloud_or_refused(accuracy, capsys):
    accuracy["value"] = 0.5
    assert extractors.make("lenet", data(200, 120), CONFIG).name == "LeNet"
    assert "the features of this LeNet mean little: its accuracy on the 120 test" in capsys.readouterr().err
    for few, message in ((data(37, 9), "37 train images"), (data(99, 9, [3]), "are of one class")):
        with pytest.raises(UserError, match=message) as caught:
            extractors.make("lenet", few, CONFIG)
        assert "use --features pixels, pca or lenet:DATA" in str(caught.value)


# ---- the protocol ----------------------------------------------------------------------------------------------------
SIZES = [
    (200, 120, None),
    (60, 3, "precision needs 4 reference examples, and test has 3, recall"),
    (60, 1, "fd needs 2 reference examples, and test has 1, precision"),
    (1, 1, "fd needs 2 reference examples, and test has 1, precision"),
]


@pytest.mark.parametrize(("train", "test", "missing"), SIZES)
@pytest.mark.parametrize("make", [gan, vae])
def test_the_default_takes_what_is_possible(tmp_path, capsys, train, test, missing, make):
    one = subject(make(), data(train, test), features="auto" if train < 100 else "pixels", samples=None)
    names = protocol.requested(None, one)
    told = capsys.readouterr().err
    assert "held_out" in names
    assert ("left out: " in told) == (missing is not None)
    if missing:
        assert f"left out: {missing}" in told
        assert len([line for line in told.splitlines() if "left out" in line]) == 1
        assert protocol.run(one, names, MODEL, tmp_path / "e.json", say=lambda line: None)["results"]


def test_what_was_asked_for_is_refused_with_all_that_it_takes(tmp_path):
    one = subject(data=data(60, 3), samples=2)
    with pytest.raises(UserError, match=r"precision needs 4 reference examples, and test has 3; use --reference train"):
        protocol.run(one, ["precision"], MODEL, tmp_path / "e.json")
    with pytest.raises(UserError, match=r"--reference train and --samples 4"):
        protocol.run(one, ["precision"], MODEL, tmp_path / "e.json")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("conditional", [True, False])
def test_classes_with_one_held_out_image_are_named(accuracy, tmp_path, monkeypatch, conditional):
    rare = data(120, 120, [0] * 60 + [1] * 59 + [2])
    one = subject(gan(conditional=conditional), rare, features="lenet", samples=120)
    scores = np.eye(3)[np.arange(500) % 3]  # as if samples were of all classes, where they are not asked for
    stamp = {**one.extractor.stamp, "data_fingerprint": rare.fingerprint}
    one.extractor = one.extractor._replace(stamp=stamp, logits=lambda images: scores[: len(images)])
    found = protocol.run(one, ["per_class_fd"], MODEL, tmp_path / "e.json", say=lambda line: None)["results"]
    assert found[0]["details"]["missing classes"] == [2]
    assert np.isfinite(found[0]["value"])


def test_nothing_possible_is_one_line():
    one = subject(copier(made())._replace(evaluate=None), data(14, 1), features="pixels", samples=None)
    with pytest.raises(UserError, match="fd needs 2 reference examples, and test has 1"):
        protocol.requested(None, one)


# ---- while it trains -------------------------------------------------------------------------------------------------
def state():
    view = weights()
    empty = {}
    return State(jnp.int32(0), jax.random.key(0), view.params, view.stats, empty, empty, empty, empty)


@pytest.mark.parametrize("make", [gan, vae])
@pytest.mark.parametrize(("train", "test"), [(14, 1), (1, 1), (1, 2), (14, 2)])
def test_few_held_out_images_do_not_end_a_run(capsys, make, train, test):
    algorithm = make()
    found = observe.observer(algorithm, data(train, test), 0, heldout.evaluator(algorithm, 0))(state())
    told = capsys.readouterr().err
    assert np.isfinite(list(found.values())).all()
    assert ("one held-out example has no covariance" in told) == (test == 1)
    assert ("samples/distance" in found) == (test > 1)
    assert "samples/copied" in found


@pytest.mark.parametrize(("name", "least"), [("fd", 2), ("kid", 2), ("precision", 4), ("recall", 4), ("coverage", 6)])
def test_what_few_held_out_images_do_not_allow_is_not_followed(name, least):
    config = dataclasses.replace(CONFIG, track=name, track_features="pixels")
    with pytest.raises(
        UserError, match=f"--track {name} needs {least} held-out examples, and npz:small has {least - 1}"
    ):
        tracking.tracker(config, gan(), data(60, least - 1))
    found = tracking.tracker(config, gan(), data(60, least)).measure(state())
    assert np.isfinite(list(found.values())).all()


def test_unknown_labels_are_no_classes():
    found = observe.observer(gan(), data(60, 30, [-1, 0, 1]), 0)(state())
    assert "samples/class_kl" not in found


def test_a_distance_without_a_covariance_is_none():
    many, one = np.random.RandomState(0).normal(size=(9, 3)), np.zeros((1, 3))
    assert np.isnan(relative_distance(many, one))
    assert np.isnan(relative_distance(one, many))


# ---- names and shapes ------------------------------------------------------------------------------------------------
NAMED = data(60, 30, 4, names=("1", "2", "10", "cat"))


@pytest.mark.parametrize(
    ("label", "number"), [("cat", 3), ("10", 2), ("2", 1), ("3", 3), ("0", 0), (2, 2), (0, 0), ("1", 0)]
)
def test_a_class_by_name_first_then_by_number(label, number):
    given = of_class(label, ("label",), NAMED, 3)
    assert given["label"].tolist() == [number] * 3
    assert NAMED.names[number] in shown(label, given, NAMED)


@pytest.mark.parametrize("label", ["dog", "-1", "4", "", "²", 4, -1])
def test_a_class_that_is_not_there_is_refused_with_the_names(label):
    with pytest.raises(UserError, match="has 4 classes, called 1, 2, 10, cat, counted from 0"):
        of_class(label, ("label",), NAMED, 3)


def test_classes_in_turn_are_told():
    assert shown(None, of_class(None, ("label",), NAMED, 3), NAMED) == "1, 2, 10, cat, in turn"
    assert shown("1", of_class("1", ("label",), data(9, 9, 3), 3), data(9, 9, 3)) == "1"


@pytest.mark.parametrize("shape", [(20, 36), (36, 20)])
def test_a_ladder_of_images_that_are_not_square_is_refused(shape):
    encoder = Encoder(((1, 1), (4, 1), (shape[0], 1)))
    with pytest.raises(UserError, match=r"a ladder is of square images, and these are .*; use --image-size 20"):
        jax.eval_shape(
            lambda x: encoder.init(jax.random.key(0), x, train=False), jax.ShapeDtypeStruct((2, *shape, 3), jnp.float32)
        )
