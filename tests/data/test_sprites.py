"""Sprites: what is drawn is what the factors say, every combination once."""

import numpy as np
import pytest

from gen_jax.data import sprites
from gen_jax.data.load import load
from gen_jax.metrics import disentanglement


@pytest.fixture(scope="module")
def data():
    return load("sprites")


def test_every_combination_is_there_once(data):
    train, test = sprites.split_factors()
    every = np.concatenate([train, test])
    assert len(every) == np.prod(sprites.SIZES) == data.train.size + data.test.size
    assert len(np.unique(every, axis=0)) == len(every)
    assert every.min(axis=0).tolist() == [0] * 5
    assert (every.max(axis=0) + 1).tolist() == list(sprites.SIZES)
    images = np.concatenate([data.train.arrays["x"], data.test.arrays["x"]])
    assert len({image.tobytes() for image in images}) == len(images)  # and no two of them look alike
    for split, factors in ((data.train, train), (data.test, test)):
        np.testing.assert_array_equal(split.arrays["label"], factors[:, 0])
        np.testing.assert_array_equal(split.arrays["x"][::997], sprites.draw(factors[::997]))


def centres(images):
    mass = images[..., 0].astype(np.float64)
    ticks = np.arange(sprites.SIDE)
    total = mass.sum(axis=(1, 2))
    return (mass.sum(axis=1) * ticks).sum(axis=1) / total, (mass.sum(axis=2) * ticks).sum(axis=1) / total


def test_position_moves_by_whole_pixels():
    base = np.array([[2, 3, 5, 4, 7]])
    for column, (dx, dy) in ((3, (1, 0)), (4, (0, 1))):
        moved = base.copy()
        moved[0, column] += 1
        (x0, y0), (x1, y1) = centres(sprites.draw(base)), centres(sprites.draw(moved))
        np.testing.assert_allclose([x1 - x0, y1 - y0], [[dx], [dy]], atol=1e-9)


def test_areas_are_those_of_geometry():
    # Square of half side .62, ellipse of half axes .9 and .45, at full scale: in units of half a patch.
    unit = (sprites.PATCH / 2) ** 2
    for shape, area in ((0, (2 * 0.62) ** 2), (1, np.pi * 0.9 * 0.45)):
        for rotation in (0, 5):
            image = sprites.draw(np.array([[shape, 5, rotation, 0, 0]]))
            assert image.sum() / 255 == pytest.approx(area * unit, rel=0.02)
            half = sprites.draw(np.array([[shape, 0, rotation, 0, 0]]))
            assert half.sum() / 255 == pytest.approx(area * unit / 4, rel=0.05)


def test_an_ellipse_turns_by_its_rotation():
    for rotation in (0, 4, 8, 12):
        image = sprites.draw(np.array([[1, 5, rotation, 5, 5]]))[0, ..., 0].astype(np.float64)
        y, x = np.mgrid[: sprites.SIDE, : sprites.SIDE]
        x, y = x - np.average(x, weights=image), np.average(y, weights=image) - y  # y upwards
        angle = 0.5 * np.arctan2(2 * (image * x * y).sum(), (image * (x**2 - y**2)).sum())
        assert angle == pytest.approx(0.5 * np.pi * rotation / sprites.SIZES[2], abs=0.03)


def test_true_factors_score_full_marks_and_mixed_ones_do_not():
    factors = sprites.random_factors(np.random.RandomState(0), 4000)
    assert disentanglement.mutual_information_gap(factors, factors) > 0.98
    mixed = np.stack([factors[:, 3] + factors[:, 4], factors[:, 3] - factors[:, 4]], axis=1)
    assert disentanglement.mutual_information_gap(mixed, factors[:, 3:]) < 0.1
    fixed = sprites.random_factors(np.random.RandomState(0), 50, fixed=2)
    assert len(set(fixed[:, 2])) == 1
    assert len(set(fixed[:, 3])) > 5
