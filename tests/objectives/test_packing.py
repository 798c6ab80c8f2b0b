"""Packing: which rows share a pack, and in which channels."""

import jax.numpy as jnp
import numpy as np
import pytest

from gen_jax.core.errors import UserError
from gen_jax.objectives.packing import pack


def test_points():
    points = jnp.arange(8.0).reshape(4, 2)
    np.testing.assert_array_equal(pack(points, 2), [[0, 1, 2, 3], [4, 5, 6, 7]])
    np.testing.assert_array_equal(pack(points, 1), points)


def test_images_stack_along_channels():
    images = np.random.default_rng(0).normal(size=(6, 4, 5, 2))
    packed = pack(jnp.asarray(images), 3)
    assert packed.shape == (2, 4, 5, 6)
    for group in range(2):
        np.testing.assert_array_equal(packed[group], np.concatenate(images.astype("f")[3 * group :][:3], axis=-1))


@pytest.mark.parametrize("m", [0, 3, 8])
def test_batch_must_be_whole_packs(m):
    with pytest.raises(UserError, match="does not divide"):
        pack(jnp.zeros((4, 2)), m)
