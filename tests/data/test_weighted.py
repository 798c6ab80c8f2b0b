"""Streams drawn by weight: the right shares, the same on every path and at every resume, and wrong weights refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from gen_jax.core.errors import UserError
from gen_jax.data import feed, order, source
from gen_jax.data.weighted import balanced, weighted

SEED, M, B, N = 3, 2, 8, 10
WEIGHTS = np.array([0.0, 1.0, 2.0, 0.0, 5.0, 0.5, 0.25, 0.25, 0.0, 0.0])


def rows(labels=None) -> source.Source:
    arrays = {
        "x": np.arange(N, dtype=np.float32)[:, None].repeat(2, 1),
        "label": np.arange(N, dtype=np.int32) if labels is None else np.asarray(labels, np.int32),
    }
    return source.from_arrays("rows", arrays, arrays, N)


def drawn(weights, steps, seed=SEED):
    thresholds = order.thresholds_of(np.asarray(weights))
    return np.concatenate([order.weighted(seed, step, 4, 256, thresholds).reshape(-1) for step in range(steps)])


@pytest.mark.parametrize("weights", [WEIGHTS, np.ones(N), [1e-9, 1.0], [3.0], np.arange(1000.0)])
def test_examples_come_in_their_shares(weights):
    weights = np.asarray(weights)
    counts = np.bincount(drawn(weights, 40), minlength=len(weights))
    assert counts.sum() == 40 * 1024
    assert not counts[weights == 0].any()
    expected = weights / weights.sum() * counts.sum()
    z = (counts - expected) / np.sqrt(np.maximum(expected * (1 - weights / weights.sum()), 1.0))
    assert np.abs(z).max() < 5, z


def test_draws_of_neighbouring_rows_rounds_and_seeds_are_independent():
    weights = np.ones(4)
    found = drawn(weights, 40).reshape(40, 4, 256)
    pairs = [(found[..., :-1], found[..., 1:]), (found[:-1], found[1:]), (found, drawn(weights, 40, SEED + 1))]
    for first, second in pairs:
        table = np.histogram2d(np.ravel(first), np.ravel(second), bins=4)[0]
        cell = table.sum() / 16  # all shares are equal, so every pair of examples should come equally often
        assert stats.chi2.sf(((table - cell) ** 2 / cell).sum(), 15) > 1e-3


def test_no_word_falls_beyond_the_last_weight():
    """The highest and the lowest words, as no draw of a test would meet them."""
    thresholds = order.thresholds_of(WEIGHTS)
    ends = np.searchsorted(thresholds, np.array([0, 2**32 - 2], np.uint32), side="right")
    assert list(ends) == [1, 7]
    assert thresholds[-1] == thresholds[7] == 2**32 - 1


def test_numpy_and_jax_agree_bitwise():
    thresholds = order.thresholds_of(WEIGHTS)
    fetch = jax.jit(lambda seed, step: order.weighted(seed, step, M, B, thresholds, xp=jnp))
    for seed, step in ((0, 0), (7, 12345), (2**31 - 1, 2**31 - 1)):
        got = np.asarray(fetch(jnp.uint32(seed), jnp.uint32(step)))
        assert np.array_equal(got, order.weighted(seed, step, M, B, thresholds))


def test_streamed_is_resident_and_any_rows_are_the_whole_batches():
    split = weighted(rows(), WEIGHTS).split("weighted")
    held = feed.resident(split)
    streamed = feed.stream({"weighted": (split, M)}, SEED, 0, 4, B)
    for step, found in enumerate(streamed):
        expected = feed.fetch(held, SEED, step, M, B, "weighted")
        assert np.array_equal(found["weighted"]["x"], expected["x"])
        part = feed.read_round(split, SEED, step, M, B, np.array([5, 2]), "weighted")
        assert np.array_equal(part["label"], np.asarray(expected["label"])[:, [5, 2]])
    mapped = jax.vmap(lambda _: feed.fetch(held, SEED, 3, M, B, "weighted")["label"], axis_name="data", axis_size=4)
    shards = np.moveaxis(np.asarray(mapped(jnp.arange(4))), 0, 1).reshape(M, B)
    assert np.array_equal(shards, feed.fetch(held, SEED, 3, M, B, "weighted")["label"])


def test_balanced_classes_come_equally_often():
    data = balanced(rows([0] * 7 + [1, 1, -1]))
    split = data.split("weighted")
    labels = np.concatenate([feed.read_round(split, SEED, s, 4, 256)["label"].reshape(-1) for s in range(8)])
    assert abs((labels == 1).mean() - 0.5) < 0.03
    assert set(labels) == {0, 1}
    assert data.fingerprint != rows([0] * 7 + [1, 1, -1]).fingerprint


@pytest.mark.parametrize("weights", [np.ones(3), np.zeros(N), np.full(N, np.nan), -np.ones(N), np.full(N, np.inf)])
def test_weights_that_mean_nothing_are_refused(weights):
    with pytest.raises(UserError, match="weights"):
        weighted(rows(), weights)


def test_unlabelled_data_cannot_be_balanced():
    arrays = {"x": np.zeros((4, 2), np.float32)}
    with pytest.raises(UserError, match="no labels"):
        balanced(source.from_arrays("plain", arrays, arrays, None))
