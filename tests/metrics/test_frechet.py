"""Fréchet distance: closed forms, other packages (tests/golden/make_metrics.py), streaming and singular covariances."""

import json
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gen_jax.core.errors import UserError
from gen_jax.metrics import frechet

FOLDER = Path(__file__).parents[1] / "golden"
sys.path.insert(0, str(FOLDER))
import make_metrics  # noqa: E402

GOLDEN = json.loads((FOLDER / "metrics.json").read_text())
GIVEN = make_metrics.inputs()


def fitted(x):
    return x.mean(axis=0), np.cov(x, rowvar=False)


def test_it_agrees_with_scipy_torch_fidelity_and_clean_fid():
    ours = float(frechet.frechet_distance(*fitted(GIVEN["real"]), *fitted(GIVEN["generated"])))
    for name in ("scipy", "torch_fidelity", "clean_fid"):
        assert ours == pytest.approx(GOLDEN[f"frechet_{name}"], rel=1e-9)


def test_singular_covariances_keep_their_digits():
    ours = float(frechet.frechet_distance(*fitted(GIVEN["real"][:20]), *fitted(GIVEN["generated"])))
    assert ours == pytest.approx(GOLDEN["frechet_singular"], rel=1e-6)
    mean, covariance = fitted(GIVEN["real"][:20])
    assert abs(frechet.frechet_distance(mean, covariance, mean, covariance)) < 1e-12


def test_commuting_covariances_have_a_closed_form():
    a, b, shift = np.array([4.0, 1.0, 0.25]), np.array([1.0, 9.0, 0.0]), np.array([1.0, -2.0, 0.5])
    expected = (shift**2).sum() + ((np.sqrt(a) - np.sqrt(b)) ** 2).sum()
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    got = frechet.frechet_distance(np.zeros(3), turn @ np.diag(a) @ turn.T, shift, turn @ np.diag(b) @ turn.T)
    assert float(got) == pytest.approx(expected, rel=1e-8)


def test_float32_gives_what_the_docstring_says():
    means = [fitted(GIVEN[name]) for name in ("real", "generated")]
    arrays = [jnp.asarray(part, jnp.float32) for pair in means for part in pair]
    got = frechet.frechet_distance(*arrays)
    assert got.dtype == jnp.float32
    assert float(got) == pytest.approx(GOLDEN["frechet_scipy"], rel=1e-4)


def test_moments_stream_in_any_grouping_far_from_the_origin():
    x = GIVEN["real"] + 1e4  # a sum of squares would lose 8 digits here
    parts = np.split(x, [1, 100, 101, 700])
    streamed = frechet.empty(x.shape[1])
    for part in parts:
        streamed = frechet.update(streamed, part)
    left, right = (frechet.moments_of(half) for half in np.split(x, [333]))
    for moments in (streamed, frechet.merge(left, right), frechet.merge(frechet.empty(32), frechet.moments_of(x))):
        assert moments.number == len(x)
        assert moments.mean.dtype == np.float64
        np.testing.assert_allclose(moments.mean, x.mean(axis=0), rtol=1e-14)
        np.testing.assert_allclose(frechet.covariance(moments), np.cov(x, rowvar=False), rtol=1e-7, atol=1e-9)


def test_masked_rows_do_not_count_and_update_jits():
    x = jnp.asarray(GIVEN["real"][:50], jnp.float32)
    padded = jnp.concatenate([x, jnp.full((14, 32), 1e6)])
    mask = jnp.arange(64) < 50
    start = jax.tree.map(jnp.asarray, frechet.empty(32, np.float32))
    moments = jax.jit(frechet.update)(start, padded, mask)
    np.testing.assert_allclose(frechet.covariance(moments), np.cov(x, rowvar=False), rtol=1e-4, atol=1e-5)


def test_extrapolation_removes_the_bias_of_few_samples():
    rng = np.random.default_rng(0)
    reference = frechet.Moments(np.array(1e9), np.zeros(16), np.eye(16) * (1e9 - 1))  # exact: N(0, I)
    samples = rng.standard_normal((4000, 16))
    result = frechet.frechet_infinity(reference, samples, minimum=400)
    biased = frechet.distance(frechet.moments_of(samples[:400]), reference)
    assert result.counts[0] == 400
    assert result.counts[-1] == 4000
    assert biased > 0.15
    assert abs(result.limit) < 0.25 * biased
    with pytest.raises(UserError, match="5000"):
        frechet.frechet_infinity(reference, samples)


def test_per_class_sees_a_collapse_that_the_whole_hides():
    rng = np.random.default_rng(1)
    real, labels = rng.standard_normal((600, 4)), np.arange(600) % 2
    generated = np.where((labels == 1)[:, None], 3.0, rng.standard_normal((600, 4)))
    scores = frechet.frechet_per_class(real, labels, generated, labels, 2)
    assert scores[0] < 0.2
    assert scores[1] > 30  # |3 - 0|^2 * 4 dimensions
    with pytest.raises(UserError, match="class 2"):
        frechet.frechet_per_class(real, labels, generated, labels, 3)


def test_float32_features_have_the_moments_of_float64_ones():
    rng = np.random.default_rng(3)
    mix = rng.standard_normal((40, 40))
    sets = [
        (np.maximum(rng.standard_normal((n, 40)) @ mix + 3 + i, 0)).astype(np.float32) for i, n in enumerate((700, 901))
    ]
    fast = [frechet.moments_of(features, block=250) for features in sets]
    exact = [frechet.moments_of(features.astype(np.float64), block=250) for features in sets]
    for ours, theirs in zip(fast, exact, strict=True):
        assert ours.number == theirs.number
        np.testing.assert_allclose(ours.mean, theirs.mean, rtol=1e-6)
        scale = np.abs(theirs.scatter).max()
        np.testing.assert_allclose(ours.scatter, theirs.scatter, atol=1e-5 * scale)
    assert frechet.distance(*fast) == pytest.approx(frechet.distance(*exact), rel=1e-6)


def test_the_quick_overlap_is_the_exact_one_or_none():
    pairs = [fitted(GIVEN[name])[1] for name in ("real", "generated")]
    values = frechet.frechet_distance(np.zeros(len(pairs[0])), pairs[0], np.zeros(len(pairs[0])), pairs[1])
    overlap = (np.trace(pairs[0]) + np.trace(pairs[1]) - float(values)) / 2
    assert frechet._overlap_by_squares(*pairs) == pytest.approx(overlap, rel=1e-12)
    singular = fitted(GIVEN["real"][:20])[1]
    assert frechet._overlap_by_squares(singular, pairs[1]) is None
    nearly = pairs[0] * np.outer(*[np.geomspace(1, 1e-7, len(pairs[0]))] * 2)
    assert frechet._overlap_by_squares(nearly, nearly) is None
    # So the distance is right there, too.
    moments = frechet.moments_of(GIVEN["real"][:20])
    assert abs(frechet.distance(moments, moments)) < 1e-10
