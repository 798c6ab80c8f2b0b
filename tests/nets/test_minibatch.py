"""Layers that compare examples: hand numbers, layout, gradients that stay finite."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gen_jax.core.errors import UserError
from gen_jax.nets.minibatch import MinibatchDiscrimination, minibatch_stddev

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


def test_discrimination_by_numpy_and_in_shards():
    x = X.reshape(8, -1)[:, :5]
    layer = MinibatchDiscrimination(kernels=3, dimensions=2)
    variables = layer.init(jax.random.key(0), x)
    features = (x @ np.asarray(variables["params"]["kernel"])).reshape(8, 3, 2)
    expected = np.zeros((8, 3))
    for i in range(8):
        for j in range(8):
            expected[i] += np.exp(-np.abs(features[i] - features[j]).sum(-1))
    found = layer.apply(variables, x)
    np.testing.assert_allclose(found, np.concatenate([x, expected], -1), rtol=1e-5)

    def step(x):
        def loss(v):
            return jnp.mean(jnp.tanh(layer.apply(v, x)).sum(-1))

        return jax.value_and_grad(loss)(variables)

    whole = step(x)
    shards = jax.vmap(lambda x: jax.lax.pmean(step(x), "data"), axis_name="data")(x.reshape(4, 2, 5))
    for one, many in zip(jax.tree.leaves(whole), jax.tree.leaves(shards), strict=True):
        np.testing.assert_allclose(many, np.broadcast_to(one, many.shape), rtol=1e-5, atol=1e-6)
