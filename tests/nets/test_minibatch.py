"""Layers that compare examples: hand numbers, layout, gradients that stay finite."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gen_jax.core.errors import UserError
from gen_jax.nets.minibatch import minibatch_stddev

X = np.random.default_rng(0).normal(size=(8, 3, 3, 4)).astype(np.float32)


def test_stddev_by_numpy():
    found = np.asarray(minibatch_stddev(X, group=4, channels=2))
    assert found.shape == (8, 3, 3, 6)
    np.testing.assert_array_equal(found[..., :4], X)
    for group in range(2):
        deviation = X[4 * group :][:4].std(axis=0)  # [3, 3, 4]
        for channel in range(2):
            expected = deviation[..., 2 * channel :][..., :2].mean()
            np.testing.assert_allclose(found[4 * group :][:4, ..., 4 + channel], expected, rtol=1e-5)


def test_stddev_of_points_and_of_a_small_batch():
    points = jnp.array([[0.0, 1.0], [2.0, 1.0]])
    np.testing.assert_allclose(minibatch_stddev(points), [[0, 1, 0.5], [2, 1, 0.5]], atol=1e-4)  # (1 + 0) / 2
    np.testing.assert_allclose(minibatch_stddev(points[:1]), [[0, 1, 0]], atol=1e-3)
    slope = jax.grad(lambda x: jnp.sum(minibatch_stddev(x)))(jnp.ones((4, 2)))
    assert np.all(np.isfinite(slope))


def test_stddev_in_shards():
    whole = minibatch_stddev(X, group=2)
    shards = jax.vmap(lambda x: minibatch_stddev(x, group=2), axis_name="data")(X.reshape(4, 2, 3, 3, 4))
    np.testing.assert_array_equal(shards.reshape(whole.shape), whole)
    with pytest.raises(UserError, match="multiple"):
        jax.vmap(lambda x: minibatch_stddev(x, group=4), axis_name="data")(X.reshape(4, 2, 3, 3, 4))
    with pytest.raises(UserError, match="multiple"):
        minibatch_stddev(X[:6])
    with pytest.raises(UserError, match="channels"):
        minibatch_stddev(X, channels=3)
