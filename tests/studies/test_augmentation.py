"""The table of augmentation: ratios, pairs, what a set is worth, what generators may see, and a run of it."""

import dataclasses
import json
import math
import re
from types import SimpleNamespace

import augmentation_table as table
import jax
import numpy as np
import pytest
from augmentation_generators import generator_data

from experiments.applications import augmentation
from gen_jax.core.errors import UserError
from gen_jax.data import mixed
from gen_jax.data.source import from_arrays
from gen_jax.metrics import worth


@pytest.mark.parametrize(
    ("real", "ratio", "parts", "classes", "each"),
    [
        (100, 1.0, 1, 10, 100),
        (100, 1.0, 2, 10, 50),
        (100, 0.5, 2, 10, 20),  # 25 are no whole turns
        (100, 5.0, 1, 10, 500),
        (100, 0.01, 1, 10, 10),  # one of each class at least
        (30, 0.1, 1, 3, 3),  # 30 * .1 is not quite 3 in floats
        (20, 2 / 3, 1, 2, 12),
    ],
)
def test_how_many_synthetic_images(real, ratio, parts, classes, each):
    assert mixed.share(real, ratio, parts, classes) == each


def some(first, count):
    return {"x": np.arange(first, first + count, dtype=np.uint8), "label": np.arange(count, dtype=np.int32) % 2}


def test_mixing_takes_the_first_of_each_set():
    found = mixed.mixed(some(0, 2), [some(10, 4), some(20, 4)], 2)
    assert found["x"].tolist() == [0, 1, 10, 11, 20, 21]
    assert found["label"].tolist() == [0, 1, 0, 1, 0, 1]
    assert mixed.mixed(None, [some(10, 4)], 3)["x"].tolist() == [10, 11, 12]
    with pytest.raises(UserError, match="5 synthetic images are asked of a set of 4"):
        mixed.mixed(some(0, 2), [some(10, 4)], 5)
    with pytest.raises(UserError, match="neither"):
        mixed.mixed(None, [], 0)


@pytest.mark.parametrize(
    ("curve", "value", "images", "bound"),
    [
        ({10: 50, 100: 70}, 60, math.sqrt(1000), ""),  # half way, in log
        ({10: 50, 100: 70}, 55, 10**1.25, ""),
        ({10: 50, 100: 70}, 50, 10, ""),
        ({10: 50, 100: 70}, 70, 100, ""),
        ({10: 50, 100: 70}, 49, 10, "≤"),
        ({10: 50, 100: 70}, 71, 100, "≥"),
        ({40: 54, 10: 50, 20: 48}, 52, math.sqrt(800), ""),  # a fall is by chance
        ({40: 54, 10: 50, 20: 48}, 49, 10, "≤"),
        ({10: 50}, 50, 10, ""),
    ],
)
def test_real_images_that_are_worth_as_much(curve, value, images, bound):
    found = worth.equivalent(curve, value)
    assert found.images == pytest.approx(images)
    assert found.bound == bound


def test_a_curve_needs_points():
    for curve in ({}, {0: 10.0, 5: 20.0}):
        with pytest.raises(UserError, match="1 or more"):
            worth.equivalent(curve, 5.0)


@pytest.mark.parametrize(
    ("real", "arm", "words"),
    [
        ([80.0, 84.0, 82.0], [76.0, 79.0, 78.5], "from the best without, real images: **use real images,"),
        ([60.0, 64.0, 62.0], [76.0, 79.0, 78.5], "from the best without, classical: **use it**"),
        ([60.0, 64.0, 62.0], [70.0, 76.0, 71.0], "from the best without, classical: **use classical,"),
    ],
)
def test_synthetic_images_are_judged_beside_the_best_that_has_none(real, arm, words):
    """An arm above a classical augmentation that does harm is no reason to use it."""

    def outcomes(values, signs=()):
        return {(draw, 0): table.Outcome(value, 100, dict(signs)) for draw, value in enumerate(values)}

    found = {
        ("none", 10): outcomes(real),
        ("classical", 10): outcomes([70.0, 74.0, 72.0]),
        ("arm", 10): outcomes(arm, {"g": ()}),
    }
    titles = {"none": "*real images*", "classical": "classical", "arm": "an arm"}
    told = table.verdict(table.Study(found, titles, (10,)), 10)
    assert words in re.sub(r", 95 % \[.*?\]", "", told)


def study(arm, classical, signs=((),)):
    def outcomes(values, signs):
        told = [{f"g{place}": each for place, each in enumerate(signs)}] + [{}] * len(values)
        return {cell: table.Outcome(value, 100, told[i]) for i, (cell, value) in enumerate(values.items())}

    found = {("arm", 10): outcomes(arm, signs), ("classical", 10): outcomes(classical, ())}
    found["classical", 40] = outcomes({(0, 0): 80.0, (1, 0): 84.0}, ())
    return table.Study(found, {"classical": "classical", "arm": "an arm"}, (10,))


def test_gains_are_paired_by_draw():
    """Gains of the two draws: 2 and 3, so 2.5 ± 12.706 · .5. The classical curve: 76 at 10, 82 at 40 a class."""
    classical = {(0, 0): 70.0, (0, 1): 72.0, (1, 0): 80.0, (1, 1): 82.0}
    arm = {(0, 0): 72.0, (0, 1): 74.0, (1, 0): 83.0, (1, 1): 85.0}
    found = table.gain(study(arm, classical), "arm", 10)
    assert found.mean == pytest.approx(2.5)
    assert found.ends == pytest.approx((2.5 - 12.7062 * 0.5, 2.5 + 12.7062 * 0.5), abs=1e-3)
    assert found.worth[0].images == pytest.approx(10 * 4 ** (2.5 / 6))
    assert [each.bound for each in found.worth] == ["", "≤", "≥"]
    del arm[1, 1]  # whose classical half, 82, goes with it
    assert table.gain(study(arm, classical), "arm", 10).mean == pytest.approx(2.5)
    assert worth.by_draw(classical) == {0: 71.0, 1: 81.0}


def test_a_collapsed_generator_stands_in_its_row():
    values = {(0, 0): 70.0, (1, 0): 80.0}
    signs = (("mode_collapse", "overfitting"), ("memorisation",))
    row = table.row(study(values, values, signs), "arm", 10)
    assert "1 of 2 collapsed: memorisation, mode collapse, overfitting" in row
    assert "+0.00 [+0.00, +0.00] no difference found" in row


def images(seed=0, count=40, bad=False):
    random = np.random.default_rng(seed)
    x, y = random.integers(0, 200, (2, count, 8, 8, 1)).astype(np.uint8)
    train, test = ({"x": each, "label": (np.arange(count) % 2).astype(np.int32)} for each in (x, y))
    if bad:
        test = {"x": np.full_like(y, 255), "label": 1 - test["label"]}
    return from_arrays("toy", train, test, 2)


def test_a_generator_may_see_the_drawn_images_alone(tmp_path):
    found = []
    for bad in (False, True):
        data = images(bad=bad)
        spec = generator_data(data, 5, 1, tmp_path / str(bad))
        found.append(dict(np.load(spec.removeprefix("npz:"))))
    told, same = found
    real = augmentation.drawn(images(), 5, 1)
    assert np.array_equal(told["train_images"], real["x"])
    assert np.bincount(told["train_labels"]).tolist() == [5, 5]
    rows = {name: {x.tobytes() for x in told[f"{name}_images"]} for name in ("train", "test")}
    assert not rows["train"] & rows["test"]
    assert rows["train"] | rows["test"] == {x.tobytes() for x in images().train.arrays["x"]}
    assert all(np.array_equal(told[name], same[name]) for name in told)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"arms": "classical,gan"}, "--arms gan: there are none, classical, cgan"),
        ({"arms": "none,cgan"}, "over classical, which has to be among them"),
        ({"per_class": (21,)}, "fewer than the 21 labels asked for"),
        ({"curve": (21,)}, "fewer than the 21 labels asked for"),
        ({"per_class": (20,)}, "leaves nothing to diagnose generators by"),
    ],
)
def test_what_cannot_be_done_is_refused_first(settings, says):
    asked = augmentation.Config(**{"per_class": (5,), "curve": (), **settings})
    with pytest.raises(UserError, match=says):
        augmentation.checked(asked, images())


@pytest.mark.science
def test_a_run_of_it_that_no_test_image_reaches(tmp_path, monkeypatch, capsys):
    """With test images that say nothing, everything that was trained is the same to the bit; once more, nothing is."""
    states = {}
    for bad in (False, True):
        data = images(count=120, bad=bad)
        monkeypatch.setattr(augmentation, "load", SimpleNamespace(of=lambda asked, data=data: data))
        right = augmentation.Classifier.right

        def kept(self, state, images, right=right, bad=bad):
            states.setdefault(bad, []).append(jax.tree.map(np.asarray, state.params))
            return right(self, state, images)

        monkeypatch.setattr(augmentation.Classifier, "right", kept)
        config = augmentation.Config(
            data="toy", per_class=(8,), curve=(4, 16), draws=2, steps=4, gan_steps=6, vae_steps=6, width=8,
            batch_size=16, study_dir=tmp_path / str(bad), out=tmp_path / "table.md",
        )  # fmt: skip
        augmentation.main(config)
        monkeypatch.setattr(augmentation.Classifier, "right", right)
    assert len(states[True]) == len(states[False]) == 2 * (10 + 2)
    jax.tree.map(np.testing.assert_array_equal, states[True], states[False])
    made = [sorted((tmp_path / name / "generators").glob("*.npz")) for name in ("True", "False")]
    for one, other in zip(*made, strict=True):
        assert np.array_equal(np.load(one)["x"], np.load(other)["x"])
        assert np.load(one)["saw"] == 16
    text = (tmp_path / "table.md").read_text()
    assert text.count("| 8 |") == 12
    assert "Real images that each classifier and each generator saw: 16 at 8 a class" in text
    assert (tmp_path / "True" / "augmentation_toy.png").read_bytes().startswith(b"\x89PNG")
    monkeypatch.setattr(augmentation, "made", None)  # killed after the last outcome: nothing is made again
    augmentation.main(dataclasses.replace(config, out=None))
    assert len(states[True]) == 24
    assert text.partition("-->\n")[2].partition("\n- ")[0] in capsys.readouterr().out
    one = next((tmp_path / "True" / "outcomes").glob("only_cvae*.json"))
    assert json.loads(one.read_text())["outcome"]["saw"] == 16
