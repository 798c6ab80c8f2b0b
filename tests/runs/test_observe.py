"""What evaluation steps see of samples: planted copies, lost classes, distances in closed form; and on a real model."""

import jax
import numpy as np
import pytest
from contract_rows import ROWS, SHAPE

from gen_jax.core.players import sgd
from gen_jax.data.kinds.images import pooled
from gen_jax.data.source import from_arrays
from gen_jax.metrics.signs import copied, relative_distance
from gen_jax.runs.watching import heldout, observe

RNG = np.random.default_rng(0)
ROW = {row.name: row for row in ROWS}


def test_planted_copies_are_counted_and_their_originals_named():
    train = RNG.normal(size=(50, 30)).astype(np.float32)
    samples = np.concatenate([train[:5] + 0.01, RNG.normal(size=(15, 30))]).astype(np.float32)
    share, nearest = copied(samples, train)
    assert share == 0.25
    assert list(nearest[:5]) == list(range(5))


def test_a_mean_of_many_is_no_copy():
    train = RNG.normal(size=(50, 30)).astype(np.float32)
    blurred = np.stack([train[i : i + 10].mean(axis=0) for i in range(20)])
    assert copied(blurred, train)[0] == 0.0


def test_relative_distance_of_gaussians():
    points = RNG.normal(size=(4000, 3))
    assert relative_distance(points, points) == pytest.approx(0.0, abs=1e-9)
    # A shift by s in each of d dimensions of variance 1: d s² / d. Twice the scale: d (2 - 1)² / d.
    assert relative_distance(points + 2, points) == pytest.approx(4.0, rel=0.05)
    assert relative_distance(2 * points, points) == pytest.approx(1.0, rel=0.05)
    assert np.isnan(relative_distance(points * np.nan, points))


def test_pooling_keeps_small_images_and_averages_large_ones():
    small = RNG.uniform(-1, 1, (2, 8, 8, 1)).astype(np.float32)
    np.testing.assert_array_equal(pooled(small), small.reshape(2, -1))
    large = np.arange(2 * 28 * 28, dtype=np.float32).reshape(2, 28, 28, 1)
    assert pooled(large).shape == (2, 14 * 14)
    assert pooled(large)[0, 0] == np.mean([0, 1, 28, 29])
    assert pooled(np.zeros((3, 33, 20, 3), np.float32)).shape == (3, 11 * 7 * 3)
    np.testing.assert_allclose(pooled(np.ones((1, 40, 40, 1), np.float32)), 1.0)


@pytest.fixture(scope="module")
def source():
    def split(count):
        return {
            "x": RNG.integers(0, 256, (count, *SHAPE)).astype(np.uint8),
            "label": (np.arange(count) % 10).astype(np.int32),
        }

    return from_arrays("noise", split(60), split(30), 10)


@pytest.mark.parametrize(
    ("row", "names"),
    [
        ("gan", {"samples/distance_raw", "train/logits/real"}),
        ("vae", {"reconstructions/distance", "latents/distance"}),
    ],
)
def test_a_model_is_seen_the_same_way_twice(row, names, source):
    algorithm = ROW[row].build(sgd)
    state = jax.jit(algorithm.init)(jax.random.key(0))
    found = [observe.observer(algorithm, source, 3, heldout.evaluator(algorithm, 3))(state) for _ in range(2)]
    assert found[0] == found[1]
    assert set(found[0]) == names | {
        "samples/distance", "samples/coverage", "samples/copied", "samples/copied_held_out", "samples/class_kl",
        "samples/rarest_class",
    }  # fmt: skip
    assert all(np.isfinite(value) for value in found[0].values())
