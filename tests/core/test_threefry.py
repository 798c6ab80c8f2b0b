"""Our noise is JAX's own, bit for bit: one stream an example, whatever the shape."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gen_jax.core import keys, threefry


@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 5, 2)])
def test_bits_are_those_of_folded_keys(shape):
    key = jax.random.key(11)
    theirs = jax.vmap(lambda row: jax.random.bits(jax.random.fold_in(key, row), shape))(jnp.arange(4))
    ours = threefry.streams(key, jnp.arange(4), *shape)
    np.testing.assert_array_equal(ours, theirs.reshape(4, -1))


def test_noise_is_that_of_folded_keys():
    key = jax.random.key(3)

    def theirs(sample):
        return keys.draw(key, 5, sample)

    np.testing.assert_array_equal(keys.uniform(key, 5, 3, 2), theirs(lambda k: jax.random.uniform(k, (3, 2))))
    np.testing.assert_allclose(
        keys.uniform(key, 5, 4, minval=-2.0, maxval=3.0),
        theirs(lambda k: jax.random.uniform(k, (4,), minval=-2.0, maxval=3.0)),
        rtol=1e-6,
    )
    np.testing.assert_allclose(
        keys.normal(key, 5, 64), theirs(lambda k: jax.random.normal(k, (64,))), rtol=1e-6, atol=1e-7
    )


def test_seeds_by_vmap_are_the_seeds_alone():
    roots = jax.vmap(jax.random.key)(jnp.arange(3, dtype=jnp.uint32))
    together = jax.vmap(lambda key: keys.normal(key, 2, 5))(roots)
    np.testing.assert_array_equal(together[1], keys.normal(roots[1], 2, 5))


def test_another_generator_is_left_to_jax():
    key = jax.random.key(0, impl="rbg")
    assert not threefry.available(key)
    assert keys.uniform(key, 2, 3).shape == (2, 3)
