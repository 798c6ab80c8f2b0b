"""Regularised autoencoders: the decoder's penalty against a full Jacobian."""

import jax
import jax.numpy as jnp
import numpy as np

from gen_jax.objectives import autoencoder

RNG = np.random.default_rng(0)
WEIGHTS = jnp.asarray(RNG.normal(size=(3, 12)), jnp.float32)


def decode(z):
    return jnp.sin(z @ WEIGHTS).reshape(-1, 2, 2, 3)


def test_latent_l2():
    np.testing.assert_allclose(autoencoder.latent_l2(jnp.asarray([[3.0, 4.0], [0.0, 1.0]])), [12.5, 0.5])


def test_decoder_penalty_is_half_the_squared_frobenius_norm_on_average():
    z = jnp.asarray(RNG.normal(size=(2, 3)), jnp.float32)
    jacobian = jax.vmap(jax.jacobian(lambda row: decode(row[None]).ravel()))(z)
    exact = 0.5 * (np.asarray(jacobian) ** 2).sum((1, 2))
    draws = jax.vmap(lambda k: autoencoder.decoder_gradient_penalty(decode, z, k))(
        jax.random.split(jax.random.key(0), 20_000)
    )
    assert np.all(np.abs(draws.mean(0) - exact) < 4 * draws.std(0) / np.sqrt(20_000))
