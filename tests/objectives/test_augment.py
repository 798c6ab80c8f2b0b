"""DiffAugment: each change by hand, the draws' ranges, gradients and layout."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gen_jax.core import keys
from gen_jax.core.errors import UserError
from gen_jax.objectives import augment
from gen_jax.objectives import classical as classical_
from gen_jax.objectives import jitter as jitter_
from gen_jax.objectives.augment import Policy

diff_augment = jax.jit(augment.diff_augment, static_argnums=2)
classical, jitter = jax.jit(classical_.classical), jax.jit(jitter_.jitter)
KEY = jax.random.key(11)
X = np.random.default_rng(0).uniform(-1, 1, size=(8, 6, 8, 3)).astype(np.float32)
ONLY_COLOR = Policy(color=True, translation=False, cutout=False)
ONLY_SHIFT = Policy(color=False, translation=True, cutout=False)
ONLY_CUTOUT = Policy(color=False, translation=False, cutout=True)


def test_translation_moves_pixels_exactly():
    down, right = np.array([0, 1, -2, 6, 0, 0, 3, -1]), np.array([0, 0, 0, 0, 3, -8, 2, -1])
    found = augment.translate(X, jnp.asarray(down), jnp.asarray(right))
    for image, moved, dy, dx in zip(X, found, down, right, strict=True):
        expected = np.zeros_like(image)
        for y in range(6):
            for x in range(8):
                if 0 <= y - dy < 6 and 0 <= x - dx < 8:
                    expected[y, x] = image[y - dy, x - dx]
        np.testing.assert_array_equal(moved, expected)


def test_translation_draws_an_eighth_of_the_side_either_way():
    pixel = jnp.zeros((2000, 16, 32, 1)).at[:, 8, 16].set(1.0)
    _, y, x, _ = np.nonzero(np.asarray(diff_augment(pixel, KEY, ONLY_SHIFT)))
    assert sorted(set(y - 8)) == list(range(-2, 3))
    assert sorted(set(x - 16)) == list(range(-4, 5))
    assert np.bincount(y - 6).min() > 2000 / 5 * 0.8
    assert abs(np.corrcoef(x, y)[0, 1]) < 0.08


def test_cutout_area_and_place():
    ones = jnp.ones((4, 8, 8, 2))
    found = augment.cut_out(ones, jnp.array([4, 0, 8, 4]), jnp.array([4, 4, 8, 1]), (4, 4))
    # Squares about the centre, an edge, a corner's outside, and the left border: 16, 2x4, 2x2, 4x3 pixels.
    np.testing.assert_array_equal((found == 0).sum((1, 2, 3)) / 2, [16, 8, 4, 12])
    np.testing.assert_array_equal(found[0, 2:6, 2:6], 0)
    np.testing.assert_array_equal(found[2, 6:, 6:], 0)
    drawn = np.asarray(diff_augment(jnp.ones((3000, 8, 8, 1)), KEY, ONLY_CUTOUT))
    # Nine places a side, 0..8, which cut 2, 3, 4 x 5, 3, 2 rows: 30 / 9 on average, squared.
    np.testing.assert_allclose((drawn == 0).sum((1, 2, 3)).mean(), (30 / 9) ** 2, rtol=0.03)


def test_colour_changes_by_hand():
    amounts = jnp.linspace(-0.5, 0.5, 8)
    np.testing.assert_allclose(augment.brightness(X, amounts).mean((1, 2, 3)) - X.mean((1, 2, 3)), amounts, atol=1e-6)
    factors = jnp.linspace(0.0, 2.0, 8)
    vivid = np.asarray(augment.saturation(X, factors))
    np.testing.assert_allclose(vivid.mean(-1), X.mean(-1), atol=1e-6)
    np.testing.assert_allclose(vivid[0].std(-1), 0, atol=1e-6)  # factor 0 is grey
    np.testing.assert_allclose(vivid[7].std(-1), 2 * X[7].std(-1), rtol=1e-5)
    strong = np.asarray(augment.contrast(X, factors))
    np.testing.assert_allclose(strong.mean((1, 2, 3)), X.mean((1, 2, 3)), atol=1e-6)
    np.testing.assert_allclose(strong.std((1, 2, 3)), factors * X.std((1, 2, 3)), rtol=1e-4, atol=1e-6)


def test_colour_draws():
    flat = np.asarray(diff_augment(jnp.full((4000, 2, 2, 1), 0.25), KEY, ONLY_COLOR))[:, 0, 0, 0] - 0.25
    assert -0.5 <= flat.min() < -0.49 < 0.49 < flat.max() <= 0.5  # a flat grey image shows the brightness alone
    np.testing.assert_allclose(flat.std(), np.sqrt(1 / 12), rtol=0.03)
    pair = jnp.broadcast_to(jnp.array([[[1.0], [-1.0]]]), (4000, 1, 2, 1))
    found = np.asarray(diff_augment(pair, KEY, ONLY_COLOR))
    contrast = (found[:, 0, 0, 0] - found[:, 0, 1, 0]) / 2
    assert 0.5 <= contrast.min() < 0.51 < 1.49 < contrast.max() <= 1.5


@pytest.mark.parametrize("channels", [3, 5, *(pytest.param(c, marks=pytest.mark.science) for c in (1, 2))])
def test_any_channels_any_layout_no_policy(channels):
    images = jnp.asarray(np.random.default_rng(1).normal(size=(8, 8, 8, channels)), jnp.float32)
    np.testing.assert_array_equal(diff_augment(images, KEY, Policy(False, False, False)), images)
    whole = diff_augment(images, KEY)
    shards = jax.vmap(lambda x: diff_augment(x, KEY), axis_name="data")(images.reshape(4, 2, 8, 8, channels))
    np.testing.assert_allclose(shards.reshape(images.shape), whole, atol=1e-6)
    assert len({image.tobytes() for image in np.asarray(diff_augment(jnp.ones_like(images), KEY))}) == 8


def test_gradient_reaches_the_image():
    """The map is affine in the image, so the gradient of its sum agrees with a finite difference of any size."""
    with jax.enable_x64(True):
        images, direction = jnp.asarray(X[:4], jnp.float64), jnp.asarray(X[4:], jnp.float64)
        total = lambda x: jnp.sum(diff_augment(x, KEY) * jnp.arange(8)[:, None])  # noqa: E731
        slope = jnp.sum(jax.grad(total)(images) * direction)
        np.testing.assert_allclose(slope, total(images + direction) - total(images), rtol=1e-10)
        assert abs(slope) > 1e-3


def test_points_are_refused():
    with pytest.raises(UserError, match="height, width"):
        diff_augment(jnp.zeros((4, 2)), KEY)


def test_classical_augmentation_moves_and_cuts_each_image_by_itself():
    x = jnp.full((64, 16, 16, 1), -1.0).at[:, 4:12, 4:12].set(1.0)
    found = np.asarray(classical(x, jax.random.key(3)))
    assert found.shape == x.shape
    assert found.min() >= -1 - 1e-5
    assert found.max() <= 1 + 1e-5
    assert len(np.unique(found.reshape(64, -1), axis=0)) == 64
    np.testing.assert_array_equal(found[:5], classical(x[:5], jax.random.key(3)))  # whatever stands beside them
    moved = np.asarray(jitter(x, keys.named(jax.random.key(3), "moved")))
    cut = (found != moved).any(axis=(1, 2, 3))
    assert 16 <= cut.sum() <= 40  # half of them, of which some lose black
    lost = (moved - found)[cut]
    assert lost.min() >= 0  # black, not grey
    assert ((lost > 0).sum(axis=(1, 2, 3)) <= 16).all()  # a square of 4


def test_classical_augmentation_needs_images():
    with pytest.raises(UserError, match="needs images"):
        classical(jnp.zeros((3, 2)), jax.random.key(0))
