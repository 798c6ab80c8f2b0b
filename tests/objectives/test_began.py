"""BEGAN's losses and its controller, step by step by hand."""

import jax
import jax.numpy as jnp
import numpy as np

from gen_jax.objectives import began

REAL, FAKE = jnp.array([1.0, 3.0]), jnp.array([0.5, 1.0])


def test_reconstruction_is_a_mean_over_pixels():
    images = jnp.zeros((2, 2, 2, 1))
    decoded = jnp.stack([jnp.full((2, 2, 1), 2.0), jnp.array([[[1.0], [0.0]], [[0.0], [-3.0]]])])
    np.testing.assert_allclose(began.reconstruction(images, decoded), [2.0, 1.0])
    np.testing.assert_allclose(began.reconstruction(images, decoded, power=2), [4.0, 2.5])


def test_losses_and_their_gradients():
    k = jnp.float32(0.4)
    value, slopes = jax.value_and_grad(began.discriminator, argnums=(0, 1, 2))(REAL, FAKE, k)
    np.testing.assert_allclose(value, 2.0 - 0.4 * 0.75, rtol=1e-6)
    np.testing.assert_allclose(slopes[0], [0.5, 0.5])
    np.testing.assert_allclose(slopes[1], [-0.2, -0.2], rtol=1e-6)
    assert slopes[2] == 0  # k is the controller's, never the optimizer's
    np.testing.assert_allclose(began.generator(FAKE), 0.75)


def test_balance():
    np.testing.assert_allclose(began.update_balance(jnp.float32(0.2), REAL, FAKE, 0.5, 0.1), 0.2 + 0.1 * 0.25)
    np.testing.assert_allclose(began.update_balance(jnp.float32(0.2), REAL, FAKE, 0.25, 0.1), 0.2 - 0.1 * 0.25)
    assert began.update_balance(jnp.float32(0.0), FAKE, REAL, 0.5, 1.0) == 0.0
    assert began.update_balance(jnp.float32(1.0), REAL, FAKE, 0.5, 1.0) == 1.0


def test_controller_sees_the_global_batch():
    shards = jax.vmap(lambda r, f: began.update_balance(jnp.float32(0.2), r, f, 0.5, 0.1), axis_name="data")
    np.testing.assert_allclose(shards(REAL[:, None], FAKE[:, None]), [0.225, 0.225], rtol=1e-6)
