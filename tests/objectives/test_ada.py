"""ADA: whole-pixel maps exactly, warps against scipy, each draw's distribution, and the controller's closed form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage, stats

from gen_jax.core.errors import UserError
from gen_jax.objectives import ada

augment = jax.jit(ada.augment, static_argnames="pipeline")
KEY = jax.random.key(2)
X = np.random.default_rng(0).uniform(-1, 1, size=(16, 8, 8, 3)).astype(np.float32)
NOTHING = ada.Pipeline(*[0.0] * len(ada.Pipeline._fields))


def only(**multipliers):
    return NOTHING._replace(**multipliers)


def geometries(count, p, pipeline, size=(8, 8)):
    keys = jax.random.split(KEY, count)
    return np.asarray(jax.vmap(lambda k: ada.geometry(k, jnp.float32(p), pipeline, size))(keys))


def colours(count, p, pipeline):
    keys = jax.random.split(KEY, count)
    return np.asarray(jax.vmap(lambda k: ada.colour(k, jnp.float32(p), pipeline, True))(keys))


@pytest.mark.parametrize("channels", [1, 3])
def test_identity_at_zero(channels):
    images = X[..., :channels]
    found = augment(images, KEY, 0.0, pipeline=ada.BGC._replace(cutout=1.0))
    np.testing.assert_array_equal(found, images)


def which(images, found, candidates):
    """For each image, which candidate it became, exactly."""
    picks = []
    for before, after in zip(images, found, strict=True):
        matches = [i for i, change in enumerate(candidates) if np.array_equal(change(before), after)]
        assert matches
        picks.append(matches[0])
    return picks


def test_flips_and_quarter_turns_are_exact():
    flips = [lambda x: x, lambda x: x[:, ::-1]]
    assert set(which(X, augment(X, KEY, 1.0, pipeline=only(flip=1.0)), flips)) == {0, 1}
    turns = [lambda x, k=k: np.rot90(x, k) for k in range(4)]
    assert set(which(X, augment(X, KEY, 1.0, pipeline=only(quarter_turn=1.0)), turns)) == {0, 1, 2, 3}
    assert set(which(X, augment(X, KEY, 0.0, pipeline=only(quarter_turn=1.0)), turns)) == {0}


def test_whole_pixel_shifts_are_exact_and_mirrored():
    def shift(dy, dx):
        return lambda x: np.pad(x, ((1, 1), (1, 1), (0, 0)), mode="reflect")[1 - dy : 9 - dy, 1 - dx : 9 - dx]

    shifts = [shift(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]  # an eighth of 8 pixels
    assert len(set(which(X, augment(X, KEY, 1.0, pipeline=only(shift=1.0)), shifts))) > 3


def test_warp_against_scipy():
    """`affine_transform` reads input (row, column) = M output + offset, with the same interpolation and borders."""
    image = X[0]
    for matrix in geometries(4, 1.0, ada.BGC):
        swapped = matrix[:2, :2][::-1, ::-1]  # (x, y) to (row, column)
        offset = matrix[:2, 2][::-1] + 3.5 - swapped @ [3.5, 3.5]
        expected = [ndimage.affine_transform(image[..., c], swapped, offset, order=1, mode="mirror") for c in range(3)]
        np.testing.assert_allclose(ada.warp(image, matrix), np.stack(expected, -1), atol=2e-5)


def test_scale_enlarges():
    """The map is the inverse: an image scaled by s is read at 1 / s. log2 s ~ N(0, .2) with probability p."""
    matrices = geometries(3000, 0.5, only(scale=1.0))
    np.testing.assert_allclose(matrices[:, 0, 0], matrices[:, 1, 1])
    sizes = -np.log2(matrices[:, 0, 0])
    np.testing.assert_allclose((sizes != 0).mean(), 0.5, atol=0.03)
    assert stats.kstest(sizes[sizes != 0], stats.norm(0, 0.2).cdf).pvalue > 1e-3


def test_stretch_keeps_area():
    matrices = geometries(3000, 1.0, only(stretch=1.0))
    np.testing.assert_allclose(matrices[:, 0, 0] * matrices[:, 1, 1], 1.0, rtol=1e-5)
    assert stats.kstest(np.log2(matrices[:, 1, 1]), stats.norm(0, 0.2).cdf).pvalue > 1e-3


@pytest.mark.parametrize("p", [0.36, 1.0])
def test_rotation_happens_with_probability_p(p):
    """Either of two rotations: 1 - (1 - p_rot)^2 = p. Angles are uniform."""
    matrices = geometries(3000, p, only(rotation=1.0))
    angles = np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0])
    np.testing.assert_allclose((angles != 0).mean(), p, atol=0.03)
    assert stats.kstest(angles[angles != 0], stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > 1e-3


def test_fractional_shift_is_an_eighth_of_each_side():
    matrices = geometries(3000, 1.0, only(fraction=1.0), size=(8, 32))
    assert stats.kstest(matrices[:, 0, 2], stats.norm(0, 4).cdf).pvalue > 1e-3
    assert stats.kstest(matrices[:, 1, 2], stats.norm(0, 1).cdf).pvalue > 1e-3


def test_colours_draw_the_papers_distributions():
    bright = colours(3000, 0.4, only(brightness=1.0))[:, :3, 3]
    np.testing.assert_allclose(bright, np.repeat(bright[:, :1], 3, axis=1))
    moved = bright[bright[:, 0] != 0, 0]
    np.testing.assert_allclose(len(moved) / 3000, 0.4, atol=0.03)
    assert stats.kstest(moved, stats.norm(0, 0.2).cdf).pvalue > 1e-3
    strong = colours(3000, 1.0, only(contrast=1.0))
    assert stats.kstest(np.log2(strong[:, 1, 1]), stats.norm(0, 0.5).cdf).pvalue > 1e-3
    half = colours(3000, 0.8, only(brightness=0.5))[:, 0, 3]
    np.testing.assert_allclose((half != 0).mean(), 0.4, atol=0.03)  # multipliers multiply p


def test_luma_hue_and_saturation_by_geometry():
    grey = np.ones(3) / np.sqrt(3)
    flips = colours(200, 1.0, only(luma_flip=1.0))[:, :3, :3]
    reflected = [np.allclose(m, np.eye(3) - 2 * np.outer(grey, grey), atol=1e-6) for m in flips]
    assert 70 < sum(reflected) < 130
    assert all(r or np.array_equal(m, np.eye(3)) for r, m in zip(reflected, flips, strict=True))
    hues = colours(2000, 1.0, only(hue=1.0))[:, :3, :3]
    np.testing.assert_allclose(hues @ grey, np.tile(grey, (2000, 1)), atol=1e-6)  # a rotation about grey
    np.testing.assert_allclose(hues @ hues.transpose(0, 2, 1), np.tile(np.eye(3), (2000, 1, 1)), atol=1e-5)
    angles = np.arccos(np.clip((np.trace(hues, axis1=1, axis2=2) - 1) / 2, -1, 1))
    assert stats.kstest(angles, stats.uniform(0, np.pi).cdf).pvalue > 1e-3
    vivid = colours(2000, 1.0, only(saturation=1.0))[:, :3, :3]
    np.testing.assert_allclose(vivid @ grey, np.tile(grey, (2000, 1)), atol=1e-5)
    chroma = vivid @ (np.array([1.0, -1.0, 0.0]) / np.sqrt(2))
    factors = np.linalg.norm(chroma, axis=1)
    assert stats.kstest(np.log2(factors), stats.norm(0, 1).cdf).pvalue > 1e-3


def test_recolour():
    matrix = np.eye(4, dtype=np.float32)
    matrix[:3] = np.random.default_rng(3).normal(size=(3, 4))
    np.testing.assert_allclose(ada.recolour(X[0], matrix)[2, 5], matrix[:3, :3] @ X[0, 2, 5] + matrix[:3, 3], rtol=1e-5)
    grey = X[0, :, :, :1]
    as_colour = ada.recolour(np.repeat(grey, 3, axis=-1), matrix)
    np.testing.assert_allclose(ada.recolour(grey, matrix), as_colour.mean(-1, keepdims=True), atol=1e-5)


def test_cutout_of_half_the_side():
    found = np.asarray(augment(jnp.ones((2000, 8, 8, 1)), KEY, 0.5, pipeline=only(cutout=1.0)))
    areas = (found == 0).sum((1, 2, 3))
    np.testing.assert_allclose((areas > 0).mean(), 0.5, atol=0.04)
    assert areas.max() == 16
    # A side of 1/2 about a uniform centre keeps 7/16 of the unit side: E length = 1/2 - 2 * (1/4)^2 / 2.
    np.testing.assert_allclose(areas[areas > 0].mean() / 64, (7 / 16) ** 2, rtol=0.05)


def test_any_layout_and_gradients():
    whole = augment(X, KEY, 0.7)
    shards = jax.vmap(lambda x: augment(x, KEY, 0.7), axis_name="data")(X.reshape(4, 4, 8, 8, 3))
    np.testing.assert_allclose(shards.reshape(X.shape), whole, atol=1e-5)
    weights, direction = np.random.default_rng(1).normal(size=(2, *X.shape)).astype(np.float32)
    _, pullback = jax.vjp(lambda x: augment(x, KEY, 0.7), X)
    slope = jnp.sum(pullback(weights)[0] * direction)
    change = jnp.sum(weights * (augment(X + direction, KEY, 0.7) - whole))  # the map is affine in the image
    np.testing.assert_allclose(slope, change, rtol=1e-3)


def test_channels_that_are_no_colours():
    with pytest.raises(UserError, match="1 or 3 channels"):
        augment(jnp.zeros((2, 4, 4, 2)), KEY, 0.5)
    assert augment(jnp.zeros((2, 4, 4, 2)), KEY, 0.5, pipeline=only(flip=1.0, rotation=1.0)).shape == (2, 4, 4, 2)
    with pytest.raises(UserError, match="height, width"):
        augment(jnp.zeros((2, 4)), KEY, 0.5)


def test_controller_closed_form():
    """Reaches 1 after 500,000 images of overfitting, and falls as fast."""
    p = jnp.float32(0.0)
    for _ in range(10):
        p = ada.update_p(p, jnp.float32(0.9), batch_size=64)
    np.testing.assert_allclose(p, 10 * 64 * 4 / 500_000, rtol=1e-5)
    np.testing.assert_allclose(ada.update_p(p, jnp.float32(0.1), 64), 9 * 64 * 4 / 500_000, rtol=1e-5)
    assert ada.update_p(p, jnp.float32(0.6), 64) == p
    assert ada.update_p(jnp.float32(0.0), jnp.float32(-1.0), 64) == 0
    assert ada.update_p(jnp.float32(0.9999), jnp.float32(1.0), 64) == 1


def test_observing_moves_p_every_fourth_step():
    """Signs 1, 1, 0, .5 average .625 > .6, although the last alone would lower p."""
    logits = [[3.0, 1.0, 2.0, 9.0], [1.0] * 4, [1.0, -1.0, 1.0, -1.0], [1.0, 1.0, 1.0, -1.0]]
    step = 4 * 4 / 1000
    for shards in (None, 2):
        controller, trace = ada.init_controller(0.5), []
        for row in logits * 2:
            if shards is None:
                controller = ada.observe(controller, jnp.array(row), speed=1000)
            else:
                observe = jax.vmap(
                    lambda c, r: ada.observe(c, r, speed=1000), in_axes=(None, 0), out_axes=None, axis_name="data"
                )
                controller = observe(controller, jnp.array(row).reshape(2, 2))
            trace.append(float(controller["p"]))
        np.testing.assert_allclose(trace, [0.5] * 3 + [0.5 + step] * 4 + [0.5 + 2 * step], rtol=1e-6)
        assert controller["steps"] == 0
        assert controller["signs"] == 0
