"""Measures of rows: values of sdmetrics 0.32.0, closed forms, and what copies, collapses or is real."""

import numpy as np
import pytest

from gen_jax.metrics import column_shapes, pair_trends, rows
from gen_jax.metrics.closest_record import closest
from gen_jax.metrics.detection import detection
from gen_jax.metrics.smote import smote
from gen_jax.metrics.utility import utility

KINDS = rows.Kinds((0, 0, 4, 3))


def case(gaps=False):
    random = np.random.default_rng(7)

    def make(n, shift):
        a, c = random.normal(shift, 1 + shift, n), random.integers(0, 4, n).astype(float)
        b = 0.5 * a + random.normal(0, 1, n) + c
        d = (a > 0.3).astype(float) + random.integers(0, 2, n)
        return np.round(np.stack([a, b, c, d], 1), 3)

    real, made = make(300, 0.0), make(200, 0.4)
    if gaps:
        real[::11, 0], made[::7, 0], real[::13, 2], made[::5, 2] = (np.nan,) * 4
    return real, made


@pytest.mark.parametrize(
    ("gaps", "shapes", "trends"),
    [
        (
            False,
            [0.7583333333333333, 0.8933333333333333, 0.97, 0.8566666666666667],
            [0.9738930628956104, 0.66, 0.7216666666666667, 0.7833333333333333, 0.7933333333333333, 0.8533333333333333],
        ),
        (
            True,
            [0.7697798417612659, 0.8933333333333333, 0.9657608695652173, 0.8566666666666667],
            [0.9772277834732452, 0.6383333333333333, 0.7283333333333333, 0.7466666666666666, 0.7933333333333333,
             0.8099999999999999],
        ),
    ],
)  # fmt: skip
def test_shapes_and_trends_are_those_of_sdmetrics(gaps, shapes, trends):
    """KSComplement, TVComplement, CorrelationSimilarity and ContingencySimilarity of sdmetrics 0.32.0."""
    real, made = case(gaps)
    np.testing.assert_allclose(column_shapes.column_shapes(real, made, KINDS), shapes, rtol=1e-9)
    np.testing.assert_allclose(list(pair_trends.pair_trends(real, made, KINDS).values()), trends, rtol=1e-9)


def test_alike_and_disjoint():
    real, _ = case()
    np.testing.assert_allclose(column_shapes.column_shapes(real, real, KINDS), 1)
    np.testing.assert_allclose(list(pair_trends.pair_trends(real, real, KINDS).values()), 1)
    assert column_shapes.ks(real[:, 0], real[:, 0] + 100) == 0
    assert column_shapes.tv(np.zeros(5), np.ones(5)) == 0
    assert np.isnan(pair_trends.correlation(real[:, :2], np.ones((5, 2))))


def test_a_detector_tells_what_differs():
    real, made = case()
    vectors = rows.features(real, KINDS)
    assert abs(detection(real[:150], real[150:], vectors) - 0.5) < 0.1
    assert detection(real, made + np.array([5, 0, 0, 0]), vectors) > 0.95


def test_features_mark_gaps_and_know_no_strangers():
    real, _ = case(gaps=True)
    vectors = rows.features(real, KINDS)
    found = vectors(np.array([[np.nan, real[:, 1].mean(), np.nan, -1.0]]))
    np.testing.assert_allclose(found, [[0, 1, 0, *([0] * 7)]], atol=1e-6)
    assert vectors(real).shape == (300, 3 + 7)


def test_distances_are_those_of_a_loop_and_a_copy_has_none():
    real, made = case()
    vectors = rows.features(real, KINDS)
    np.testing.assert_allclose(closest(real[:5], real, vectors), 0, atol=1e-3)
    scale = real.std(axis=0)
    for row, found in zip(made[:5], closest(made[:5], real, vectors), strict=True):
        numbers = (((row - real) / scale)[:, :2] ** 2).sum(axis=1)
        other = (row[None, 2:] != real[:, 2:]).sum(axis=1)
        np.testing.assert_allclose(found, np.sqrt((numbers + other).min()), rtol=1e-3)


def test_the_floor_lies_between_rows_of_a_class():
    real, _ = case(gaps=True)
    made = smote(real, 200, rows.features(real, KINDS), 3, 0)
    assert made.shape == (200, 4)
    assert set(np.unique(made[:, 3])) <= {0.0, 1.0, 2.0}
    assert np.nanmin(made[:, 1]) >= real[:, 1].min()
    assert np.nanmax(made[:, 1]) <= real[:, 1].max()
    np.testing.assert_array_equal(made, smote(real, 200, rows.features(real, KINDS), 3, 0))
    whole = {*map(tuple, np.nan_to_num(real, nan=-9))}
    assert sum(tuple(row) in whole for row in np.nan_to_num(made, nan=-9)) < 20


@pytest.mark.parametrize("target", [1, pytest.param(3, marks=pytest.mark.science)])
def test_real_rows_are_useful_and_noise_is_not(target):
    train, _ = case()
    random = np.random.default_rng(0)
    test = case(gaps=True)[0]
    noise = np.stack([random.permutation(column) for column in train.T], axis=1)
    real, other = utility(train, test, KINDS, target), utility(noise, test, KINDS, target)
    assert real.keys() == other.keys()
    assert {name.split()[0] for name in real} == ({"R²"} if target == 1 else {"macro-F1", "accuracy"})
    assert all(real[name] > other[name] + 0.05 for name in real)


def test_one_class_is_an_answer():
    """What a model that collapsed gives."""
    train, test = case()
    train[:, 3] = 1
    found = utility(train, test, KINDS, 3)
    assert found["accuracy (trees)"] == found["accuracy (linear)"] == (test[:, 3] == 1).mean()
