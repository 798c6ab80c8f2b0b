"""Path lengths of a linear synthesis, where they are known; the paper's weight; the moving mean."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gen_jax.objectives.path_length import moved_mean, path_length_penalty, path_lengths

KEY = jax.random.key(0)


def test_lengths_of_a_linear_map_are_those_of_its_transpose():
    matrix = jax.random.normal(KEY, (3 * 4, 5 * 6 * 2))  # three layers of four numbers -> 5×6×2
    styles, noise = jax.random.normal(KEY, (7, 3, 4)), jax.random.normal(jax.random.key(1), (7, 5, 6, 2))
    found = path_lengths(lambda s: (s.reshape(-1, 12) @ matrix).reshape(-1, 5, 6, 2), styles, noise)
    slopes = np.asarray(noise).reshape(7, -1) @ np.asarray(matrix).T / np.sqrt(5 * 6)
    np.testing.assert_allclose(found, np.sqrt((slopes**2).sum(axis=1) / 3), rtol=1e-5)


@pytest.mark.parametrize("size", [32, 256, 1024])
def test_the_weight_counts_as_the_papers(size):
    """Appendix B: ln 2 / (r² (ln r - ln 2)) times (|J'y| - a)², y not divided by r, the norm over all layers."""
    layers, slopes = 2 * round(math.log2(size)) - 2, 3.7  # |J'y| over all layers
    paper = math.log(2) / (size**2 * (math.log(size) - math.log(2))) * slopes**2
    here = 2 * (slopes / size / layers**0.5) ** 2
    assert here == pytest.approx(paper)


def test_penalty_and_mean():
    lengths = jnp.array([1.0, 2.0, 6.0])
    assert path_length_penalty(lengths, jnp.float32(2.0)) == pytest.approx((1 + 0 + 16) / 3)
    assert moved_mean(jnp.float32(1.0), lengths) == pytest.approx(1.02)
    assert jax.grad(lambda x: moved_mean(jnp.float32(0.0), x))(lengths).sum() == 0  # the mean is a constant


def test_a_length_of_zero_has_a_slope_of_zero():
    def total(scale):
        return path_lengths(lambda s: 0 * s[:, :, :1, None] * scale, jnp.ones((2, 3, 4)), jnp.ones((2, 3, 1, 1))).sum()

    assert jax.grad(total)(1.0) == 0.0
