"""Poisson batches: each example in each batch by itself, the same on host and device, never cut."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import binom

from gen_jax.core.errors import UserError
from gen_jax.data import feed, order, poisson, source

N, ROWS = 300, 64


def data(size=N):
    x = np.arange(size, dtype=np.float32)[:, None]
    return source.from_arrays("npz:numbers", {"x": x}, {"x": x}, None)


def test_host_and_device_draw_the_same_examples():
    made = poisson.poisson(data(), ROWS)
    split = made.split(poisson.STREAM)
    held = feed.resident(split)
    for step in (0, 7):
        there = feed.read_round(split, 3, step, 2, ROWS, stream=poisson.STREAM)
        here = jax.jit(lambda step: feed.fetch(held, jnp.uint32(3), step, 2, ROWS, poisson.STREAM))(step)
        np.testing.assert_array_equal(here["present"], there["present"])
        np.testing.assert_array_equal(here["x"], there["x"])
        shown = there["x"][there["present"] > 0]
        assert 0 < len(shown) < 2 * ROWS
        for batch, present in zip(there["x"], there["present"], strict=True):
            own = batch[present > 0, 0]
            assert (np.diff(own) > 0).all()  # in order, and none of them twice


def test_rows_of_a_shard_are_those_of_the_batch():
    threshold = np.uint32(0.1 * 2**32)
    whole = order.poisson(1, 5, 2, ROWS, N, threshold)
    part = order.poisson(1, 5, 2, ROWS, N, threshold, rows=np.arange(16, 32))
    np.testing.assert_array_equal(part, whole[:, 16:32])


def test_every_example_is_drawn_as_often_as_any_other_and_by_itself():
    rate, rounds = 0.1, 2_000
    threshold = np.uint32(rate * 2**32)
    chosen = np.concatenate([order.poisson(9, step, 2, ROWS, N, threshold) for step in range(rounds // 2)])
    inside = np.zeros((rounds, N), bool)
    for batch, examples in enumerate(chosen):
        inside[batch, examples[examples >= 0]] = True
    sizes = inside.sum(axis=1)
    assert sizes.mean() == pytest.approx(rate * N, rel=0.02)
    assert sizes.var() == pytest.approx(rate * (1 - rate) * N, rel=0.15)  # a fixed size would have none
    shares = inside.mean(axis=0)
    assert abs(shares - rate).max() < 5 * np.sqrt(rate * (1 - rate) / rounds)
    together = np.corrcoef(inside.T.astype(float))[np.triu_indices(N, 1)]
    assert np.abs(together).max() < 6 / np.sqrt(rounds)
    following = np.mean(inside[1:] & inside[:-1])
    assert following == pytest.approx(rate**2, rel=0.1)


@pytest.mark.parametrize(("rows", "size"), [(64, 1_442), (256, 60_000), (32, 100)])
def test_a_batch_almost_never_needs_more_rows_than_there_are(rows, size):
    rate = poisson.rate_for(rows, size)
    assert binom.sf(rows, size, rate) <= poisson.OVERFLOW < binom.sf(rows, size, 1.1 * rate)
    assert rate * size >= 1


def test_too_few_rows_are_refused_and_another_rate_is_other_data():
    with pytest.raises(UserError, match="--batch-size 4"):
        poisson.poisson(data(), 4)
    base = data()
    prints = {base.fingerprint, *(poisson.poisson(base, rows).fingerprint for rows in (64, 80))}
    assert len(prints) == 3
