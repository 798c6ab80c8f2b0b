"""LeCam, consistency, noise and weight penalties against hand numbers."""

import jax
import jax.numpy as jnp
import numpy as np

from gen_jax.objectives import regularizers, weights

KEY = jax.random.key(0)
W = np.array([[1.0, -2.0, 0.5], [0.0, 3.0, -1.0]])
PARAMS = {
    "dense": {"kernel": jnp.asarray(W, jnp.float32), "bias": jnp.array([5.0, -7.0, 0.01])},
    "conv": {"kernel": jnp.full((2, 1, 1, 2), 0.5)},
    "norm": {"scale": jnp.ones(3)},
}


def test_lecam_by_hand():
    real, fake = jnp.array([1.0, 3.0]), jnp.array([-1.0, 2.0])
    # ((1 + .5)^2 + (3 + .5)^2) / 2 + ((-1 - 1.5)^2 + (2 - 1.5)^2) / 2 = 7.25 + 3.25
    value = regularizers.lecam(real, fake, jnp.float32(1.5), jnp.float32(-0.5))
    np.testing.assert_allclose(value, 10.5)
    # One-sided: fake 2 lies above the real average 1.5, and is not charged.
    one_sided = regularizers.lecam(real, fake, jnp.float32(1.5), jnp.float32(-0.5), one_sided=True)
    np.testing.assert_allclose(one_sided, 7.25 + 6.25 / 2)
    slopes = jax.grad(regularizers.lecam, argnums=(0, 1, 2, 3))(real, fake, jnp.float32(1.5), jnp.float32(-0.5))
    np.testing.assert_allclose(slopes[0], [1.5, 3.5])
    np.testing.assert_allclose(slopes[1], [-2.5, 0.5])
    assert slopes[2] == slopes[3] == 0


def test_lecam_averages_are_of_the_global_batch():
    real, fake = jnp.arange(8.0), -2 * jnp.arange(8.0)
    update = lambda r, f: regularizers.lecam_averages(jnp.float32(1.0), jnp.float32(2.0), r, f, decay=0.9)  # noqa: E731
    expected = 0.9 * 1 + 0.1 * 3.5, 0.9 * 2 - 0.1 * 7
    np.testing.assert_allclose(update(real, fake), expected, rtol=1e-6)
    shards = jax.vmap(update, axis_name="data")(real.reshape(4, 2), fake.reshape(4, 2))
    np.testing.assert_allclose(shards, np.repeat(expected, 4).reshape(2, 4), rtol=1e-6)


def test_consistency():
    critic = lambda x: 2 * x[:, 0] + x[:, 1]  # noqa: E731
    x, moved = jnp.array([[1.0, 0.0], [0.0, 1.0]]), jnp.array([[0.0, 0.0], [0.0, 4.0]])
    np.testing.assert_allclose(regularizers.consistency(critic, x, moved), (4 + 9) / 2)
    found = regularizers.balanced_consistency(critic, x, moved, x, x + 1.0, real_weight=10.0, fake_weight=3.0)
    np.testing.assert_allclose(found, 10 * 6.5 + 3 * 9)


def test_instance_noise():
    x = jnp.full((3000, 2), 4.0)
    noisy = np.asarray(regularizers.instance_noise(x, KEY, 0.3))
    np.testing.assert_allclose(noisy.mean(), 4.0, atol=0.02)
    np.testing.assert_allclose(noisy.std(), 0.3, rtol=0.03)
    np.testing.assert_array_equal(regularizers.instance_noise(x, KEY, 0.0), x)
    shards = jax.vmap(lambda s: regularizers.instance_noise(s, KEY, 0.3), axis_name="data")(x.reshape(4, 750, 2))
    np.testing.assert_array_equal(shards.reshape(3000, 2), noisy)


def test_orthogonal_by_hand():
    # W'W of the dense kernel: off-diagonal -2, .5 and -4; diagonal 1, 13, 1.25. The convolution's: all entries .5.
    np.testing.assert_allclose(weights.orthogonal(PARAMS), 2 * (4 + 0.25 + 16) + 2 * 0.25)
    np.testing.assert_allclose(weights.orthogonal(PARAMS, full=True), 41 + 0 + 144 + 0.0625 - 0.5 + 4 * 0.25)
    rotation = {"kernel": jnp.array([[0.6, -0.8], [0.8, 0.6]])}
    np.testing.assert_allclose(weights.orthogonal(rotation, full=True), 0, atol=1e-12)
    np.testing.assert_allclose(weights.orthogonal({"kernel": 3 * rotation["kernel"]}), 0, atol=1e-10)


def test_orthogonal_gradient_is_the_papers():
    """BigGAN's code adds s * 2 (W W' * (1 - I)) W with filters in rows: the gradient of s / 2 times our penalty."""
    filters = W.T
    gram = filters @ filters.T
    expected = 2 * (gram * (1 - np.eye(3))) @ filters
    found = jax.grad(lambda k: 0.5 * weights.orthogonal({"kernel": k}))(jnp.asarray(W, jnp.float32))
    np.testing.assert_allclose(found, expected.T, rtol=1e-6)


def test_clip():
    clipped = weights.clip(PARAMS, 0.01)
    np.testing.assert_allclose(clipped["dense"]["kernel"], np.clip(W, -0.01, 0.01))
    np.testing.assert_allclose(clipped["dense"]["bias"], [0.01, -0.01, 0.01])
