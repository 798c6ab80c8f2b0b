"""Resizing against numpy, jax.image and a plain strided convolution; transposes against each other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from gen_jax.nets import resample

X = jnp.asarray(np.random.default_rng(0).normal(size=(2, 6, 4, 3)), jnp.float32)
ODD = X[:, :5, :3]


def test_nearest_repeats():
    np.testing.assert_array_equal(resample.nearest_up(X), np.repeat(np.repeat(X, 2, 1), 2, 2))


@pytest.mark.parametrize("x", [X, ODD, X[:, :1, :1]])
def test_bilinear_is_half_pixel_with_repeated_borders(x):
    shape = (x.shape[0], 2 * x.shape[1], 2 * x.shape[2], x.shape[3])
    np.testing.assert_allclose(resample.bilinear_up(x), jax.image.resize(x, shape, "bilinear"), atol=1e-6)


def filtered(x, **options):
    """The filter [1, 3, 3, 1]⊗[1, 3, 3, 1] / 64 on each channel, as one grouped convolution."""
    taps = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64
    kernel = jnp.asarray(np.tile(taps[..., None, None], (1, 1, 1, 3)), jnp.float32)
    layout = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(x, kernel, dimension_numbers=layout, feature_group_count=3, **options)


def test_fir_is_the_published_filter():
    down = filtered(X, window_strides=(2, 2), padding=[(1, 1)] * 2)
    np.testing.assert_allclose(resample.fir_down(X), down, atol=1e-6)
    up = filtered(X, window_strides=(1, 1), padding=[(2, 2)] * 2, lhs_dilation=(2, 2))
    np.testing.assert_allclose(resample.fir_up(X), 4 * up, atol=1e-6)


def test_fir_down_is_a_quarter_of_the_transpose_of_fir_up():
    small = X[:, :3, :2]
    left = jnp.vdot(resample.fir_up(small), X)
    np.testing.assert_allclose(left, 4 * jnp.vdot(small, resample.fir_down(X)), rtol=1e-5)


@pytest.mark.parametrize("x", [X, ODD])
def test_pools_leave_out_an_odd_border(x):
    rows, columns = x.shape[1] // 2, x.shape[2] // 2
    blocks = np.asarray(x)[:, : 2 * rows, : 2 * columns].reshape(2, rows, 2, columns, 2, 3)
    np.testing.assert_allclose(resample.average_down(x), blocks.mean((2, 4)), atol=1e-6)
    np.testing.assert_allclose(resample.max_down(x), blocks.max((2, 4)))
