"""Families of masks: shares, shapes, layouts, and one line for what does not fit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gen_jax.core.errors import UserError
from gen_jax.data import masks

IMAGES = jnp.zeros((400, 8, 8, 1))
ROWS = jnp.asarray(np.random.default_rng(0).normal(size=(400, 6)), jnp.float32)


def shares(family, x=IMAGES):
    drawn = np.asarray(masks.draw(family, jax.random.key(0), x))
    assert drawn.shape == ((*x.shape[:-1], 1) if x.ndim == 4 else x.shape)
    assert set(np.unique(drawn)) <= {0.0, 1.0}
    return drawn.reshape(len(x), -1).mean(axis=1)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_at_random_hides_its_share(share):
    for x in (IMAGES, ROWS):
        assert shares(masks.named(f"random:{share}"), x).mean() == pytest.approx(1 - share, abs=0.02)


def test_shapes_hide_what_they_say():
    assert set(shares(masks.half)) == {0.5}
    assert set(shares(masks.quarter)) == {0.25, 0.75}
    assert set(1 - shares(masks.square)) == {side * side / 64 for side in range(2, 7)}
    assert set(shares(masks.everything)) == {0.0}


def test_any_is_of_all_that_suit():
    found = shares(masks.named("any"))
    for share in (0.0, 0.25, 0.5, 0.75):
        assert (found == share).sum() > 10
    assert (shares(masks.named("any"), ROWS) == 0).sum() > 100


def test_above_hides_by_value_in_half_of_the_columns():
    drawn = np.asarray(masks.draw(masks.above, jax.random.key(0), ROWS))
    np.testing.assert_array_equal(drawn[:, :3], np.asarray(ROWS[:, :3]) <= 0)
    assert drawn[:, 3:].all()


def test_what_has_no_value_is_never_observed():
    holed = ROWS.at[:, 2].set(jnp.nan)
    assert not np.asarray(masks.draw(masks.at_random(0.1, 0.1), jax.random.key(0), holed))[:, 2].any()
    scored = np.asarray(masks.for_scores(masks.everything, jax.random.key(0), holed.at[:, 0].set(jnp.nan)))
    np.testing.assert_array_equal(scored.sum(axis=1), 1)
    np.testing.assert_array_equal(scored[:, 1], 1)
    assert (np.asarray(masks.for_scores(masks.everything, jax.random.key(0), IMAGES)).sum(axis=(1, 2, 3)) == 1).all()


def test_a_mask_is_of_its_place_in_the_global_batch_alone():
    family = masks.named("any")
    whole = masks.draw(family, jax.random.key(1), IMAGES[:8])
    parts = jax.vmap(lambda x: masks.draw(family, jax.random.key(1), x), axis_name="data")(
        IMAGES[:8].reshape(4, 2, 8, 8, 1)
    )
    np.testing.assert_array_equal(whole, parts.reshape(whole.shape))


@pytest.mark.parametrize(
    ("text", "x", "says"),
    [
        ("halv", IMAGES, "did you mean half"),
        ("random:1.5", IMAGES, "above 0 and below 1"),
        ("random:nan", ROWS, "above 0 and below 1"),
        ("random:", ROWS, "above 0 and below 1"),
        ("half:2", IMAGES, "did you mean half"),
        ("square", ROWS, "these are points"),
        ("quarter", ROWS, "these are points"),
        ("above", IMAGES, "these are images"),
    ],
)
def test_mistakes_get_one_line(text, x, says):
    with pytest.raises(UserError, match=says) as caught:
        jax.eval_shape(lambda: masks.draw(masks.named(text), jax.random.key(0), x))
    assert "\n" not in str(caught.value)
