"""SSIM against scikit-image; MS-SSIM, diversity and path length against definitions and closed forms."""

import json
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gen_jax.core.errors import UserError
from gen_jax.metrics import perceptual, ssim

FOLDER = Path(__file__).parents[1] / "golden"
sys.path.insert(0, str(FOLDER))
import make_metrics  # noqa: E402

GOLDEN = json.loads((FOLDER / "metrics.json").read_text())
GIVEN = make_metrics.inputs()
X, Y = GIVEN["pictures"], GIVEN["noisy"]


def test_ssim_agrees_with_scikit_image():
    np.testing.assert_allclose(ssim.ssim(X, Y), GOLDEN["ssim"], rtol=1e-10)
    np.testing.assert_allclose(ssim.ssim(jnp.asarray(X), jnp.asarray(Y)), GOLDEN["ssim"], rtol=1e-4)
    np.testing.assert_allclose(ssim.ssim(127.5 * X, 127.5 * Y, data_range=255.0), GOLDEN["ssim"], rtol=1e-10)


def contrast_structure(x, y):
    """Mean of (2 cov + c2) / (var + var + c2) with scipy's Gaussian filter, windows that fit only: [B]."""
    from scipy.ndimage import gaussian_filter

    def blur(images):
        return gaussian_filter(images, sigma=(0, 1.5, 1.5, 0), radius=(0, 5, 5, 0))[:, 5:-5, 5:-5]

    c2 = (0.03 * 2.0) ** 2
    variances = blur(x * x) - blur(x) ** 2 + blur(y * y) - blur(y) ** 2
    return ((2 * (blur(x * y) - blur(x) * blur(y)) + c2) / (variances + c2)).mean(axis=(1, 2, 3))


def test_ms_ssim_with_one_scale_is_ssim_and_two_scales_are_the_product():
    one = ssim.ms_ssim(X, Y, weights=(1.0,))
    np.testing.assert_allclose(one, GOLDEN["ssim"], rtol=1e-10)
    a, b = 0.4, 0.6
    small = [images.reshape(2, 32, 2, 24, 2, 3).mean(axis=(2, 4)) for images in (X, Y)]
    contrast = contrast_structure(X, Y)
    expected = contrast**a * np.asarray(ssim.ssim(*small)) ** b
    np.testing.assert_allclose(ssim.ms_ssim(X, Y, weights=(a, b)), expected, rtol=1e-6)


def test_equal_images_score_one_and_sizes_are_checked():
    big = np.random.default_rng(0).uniform(-1, 1, (1, 176, 176, 1))
    assert ssim.ms_ssim(big, big)[0] == pytest.approx(1)
    assert 0 <= ssim.ms_ssim(big, -big)[0] < 0.1
    with pytest.raises(UserError, match="176"):
        ssim.ms_ssim(X, Y)
    with pytest.raises(UserError, match="11"):
        ssim.ssim(X[:, :8], Y[:, :8])
    assert len(ssim.scales_for(28)) == 2
    assert len(ssim.scales_for(256)) == 5
    assert sum(ssim.scales_for(64)) == pytest.approx(1)


def test_diversity_is_one_for_copies_and_falls_with_variety():
    rng = np.random.default_rng(1)
    varied = rng.uniform(-1, 1, (20, 28, 28, 1)).astype(np.float32)
    copies = np.repeat(varied[:1], 20, axis=0)
    assert ssim.diversity(copies, pairs=50) == pytest.approx(1, abs=1e-5)
    assert ssim.diversity(varied, pairs=50) < 0.3


def prior(key, count):
    return jax.random.normal(key, (count, 3))


def test_path_length_of_a_linear_map_has_a_closed_form():
    # With straight interpolation |G(z + eps d) - G(z)|^2 / eps^2 = |A d|^2, d = z2 - z1 ~ N(0, 2 I): mean 2 tr(A^T A).
    matrix = jnp.asarray([[2.0, 0.0, 1.0], [0.0, 1.0, 0.0]]).T
    result = perceptual.perceptual_path_length(
        lambda z: z @ matrix,
        lambda images: images,
        prior,
        jax.random.key(0),
        samples=4000,
        epsilon=1e-2,
        interpolate=perceptual.lerp,
        percentiles=(0, 100),
    )
    assert result.mean == pytest.approx(2 * 6, rel=0.06)
    assert result.distances.shape == (4000,)


def test_path_length_of_the_identity_on_the_sphere_is_the_squared_angle():
    result = perceptual.perceptual_path_length(
        lambda z: z, lambda images: images, prior, jax.random.key(1), samples=4000, epsilon=1e-2
    )
    # Independent directions in 3-D: the angle has density sin / 2, so E angle^2 = (pi^2 - 4) / 2.
    assert result.mean == pytest.approx((np.pi**2 - 4) / 2, rel=0.06)
    assert result.distances.max() <= np.pi**2 * 1.01


def test_slerp_ends_and_middle():
    a, b = jnp.asarray([[2.0, 0.0]]), jnp.asarray([[0.0, 5.0]])
    for t, expected in ((0.0, [1, 0]), (1.0, [0, 1]), (0.5, [0.5**0.5] * 2)):
        np.testing.assert_allclose(perceptual.slerp(a, b, jnp.full((1, 1), t))[0], expected, atol=1e-6)
