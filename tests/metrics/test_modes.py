"""Mode counts on hand-made points, and on exact samples of the published ring, grid and stacked digits."""

import numpy as np
import pytest

from gen_jax.metrics import modes

ANGLES = 2 * np.pi * np.arange(8) / 8
RING = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)


def test_by_hand():
    points = np.array([[1.0, 0.0], [1.02, 0.0], [0.0, 1.029], [-0.9, 0.0]])  # good, good, good (2.9 sigma), off mode 4
    report = modes.mixture_modes(points, RING, 0.01)
    assert report.modes == 2
    assert report.good == 0.75
    assert report.histogram.tolist() == [2, 0, 1, 0, 1, 0, 0, 0]
    # KL = sum p log(8 p) with p = 1/2, 1/4, 1/4
    assert report.reverse_kl == pytest.approx(0.5 * np.log(4) + 0.5 * np.log(2))


def test_three_sigma_is_the_border():
    centres = np.zeros((1, 2))
    inside, outside = (modes.mixture_modes(np.array([[r, 0.0]]), centres, 1.0) for r in (2.999, 3.001))
    assert (inside.modes, inside.good, outside.modes, outside.good) == (1, 1.0, 0, 0.0)


def test_exact_samples_score_full_marks():
    rng = np.random.default_rng(0)
    points = RING[rng.integers(8, size=2500)] + 0.01 * rng.standard_normal((2500, 2))
    report = modes.mixture_modes(points, RING, 0.01)
    assert report.modes == 8
    assert report.good == pytest.approx(1 - np.exp(-4.5), abs=0.006)  # a 2-D normal within 3 sigma
    assert 0 <= report.reverse_kl < 0.006


def test_kl_is_against_the_real_histogram_and_infinite_off_its_support():
    points = np.repeat(RING[:2], [3, 1], axis=0)
    real = np.array([3, 1, 0, 0, 0, 0, 0, 0])
    assert modes.mixture_modes(points, RING, 0.01, real).reverse_kl == pytest.approx(0)
    assert modes.mixture_modes(points, RING, 0.01, real[::-1]).reverse_kl == np.inf


def test_stacked_digits():
    digits = np.stack(np.unravel_index(np.arange(1000), (10, 10, 10)), axis=1)
    full = modes.stacked_modes(np.eye(10)[digits])
    assert (full.modes, full.reverse_kl) == (1000, pytest.approx(0, abs=1e-12))
    half = modes.stacked_modes(np.eye(10)[digits[:500]])
    assert (half.modes, half.reverse_kl) == (500, pytest.approx(np.log(2)))
    assert np.flatnonzero(modes.stacked_modes(np.eye(10)[[[1, 2, 3]]]).histogram).tolist() == [123]
    rng = np.random.default_rng(0)
    perfect = modes.stacked_modes(np.eye(10)[rng.integers(10, size=(26_000, 3))])
    assert perfect.reverse_kl == pytest.approx(999 / 52_000, rel=0.15)
