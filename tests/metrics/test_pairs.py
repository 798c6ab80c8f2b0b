"""PSNR, luma, Dice and the adapted Rand error, by hand and by values of scikit-image."""

import numpy as np
import pytest

from gen_jax.core.errors import UserError
from gen_jax.metrics import pairs

RNG = np.random.RandomState(0)
X, Y = RNG.uniform(-1, 1, (2, 3, 12, 10, 3))
GOLDEN = {
    "psnr": [8.2574691, 7.87678535, 7.42555026],
    "luma": [158.92518611, 122.26698355],
    "rand": [0.71093986, 0.25320979, 0.33673649],
}


def test_values_of_scikit_image():
    """`peak_signal_noise_ratio(data_range=2)`, `rgb2ycbcr` of [0, 1] and `adapted_rand_error`, version 0.26.0."""
    assert pairs.psnr(X, Y) == pytest.approx(GOLDEN["psnr"])
    ycbcr = (pairs.luma((X[:1, :1, :2] + 1) / 2) * 219 + 16).ravel()
    assert ycbcr == pytest.approx(GOLDEN["luma"])
    made, true = RNG.randint(0, 4, (2, 20, 20))
    found = pairs.adapted_rand(made, true)
    error, recall, precision = GOLDEN["rand"]  # it calls the share of true pairs precision, against its own words
    assert tuple(found) == pytest.approx((error, precision, recall))
    split = pairs.adapted_rand(np.arange(1, 5).reshape(2, 2), np.ones((2, 2), int))
    assert (split.precision, split.recall) == (1, 0)  # no pair of pixels is called one segment


def test_the_ends():
    assert pairs.psnr(X, X) == pytest.approx([100] * 3)
    assert pairs.psnr(X, X + 2) == pytest.approx([0] * 3)
    same = RNG.randint(1, 5, (8, 8))
    assert pairs.adapted_rand(same * 10, same).error == pytest.approx(0)
    assert pairs.luma(np.ones((1, 1, 1, 3))) == pytest.approx(1)
    half = np.array([[[True, True, False, False]], [[False] * 4] * 1])
    other = np.array([[[True, False, False, False]], [[False] * 4] * 1])
    assert pairs.dice(half, other) == pytest.approx([2 / 3, 1])
    assert pairs.segments(np.array([[1, 0, 1], [1, 0, 0]], bool)).max() == 2


def test_a_border_is_left_out():
    near = X.copy()
    near[:, 0], near[:, -1], near[:, :, 0], near[:, :, -1] = 9, 9, 9, 9
    assert pairs.psnr(pairs.cropped(near, 1), pairs.cropped(X, 1)) == pytest.approx([100] * 3)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: pairs.cropped(X, 5), "leaves nothing"),
        (lambda: pairs.psnr(X, Y[:, :4]), "one shape"),
        (lambda: pairs.adapted_rand(np.ones((2, 2)), np.ones((3, 2))), "differ in shape"),
        (lambda: pairs.adapted_rand(np.ones((2, 2)), np.zeros((2, 2))), "nothing to compare"),
    ],
)
def test_what_cannot_be_compared(call, says):
    with pytest.raises(UserError, match=says):
        call()
