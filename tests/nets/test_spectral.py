"""Spectral normalisation against numpy's singular values."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gen_jax.core import axis
from gen_jax.core.errors import UserError
from gen_jax.nets.spectral import SpectralNorm, power_iteration

RNG = np.random.default_rng(4)


def sigma_of(kernel):
    return np.linalg.svd(np.asarray(kernel).reshape(-1, kernel.shape[-1]), compute_uv=False)[0]


@pytest.mark.parametrize("shape", [(7, 5), (3, 3, 4, 6), (4, 4, 2, 1)])
def test_sigma_becomes_the_largest_singular_value(shape):
    kernel = jnp.asarray(RNG.normal(size=shape), jnp.float32)
    layer = SpectralNorm()
    variables = layer.init(jax.random.key(0), kernel, train=True)
    assert set(variables) == {"spectral"}
    step = jax.jit(lambda v: layer.apply(v, kernel, train=True, mutable=["spectral"]))
    for _ in range(150):
        normalised, variables = step(variables)
    np.testing.assert_allclose(variables["spectral"]["sigma"], sigma_of(kernel), rtol=1e-4)
    np.testing.assert_allclose(sigma_of(normalised), 1.0, rtol=1e-4)
    np.testing.assert_allclose(normalised * sigma_of(kernel), kernel, rtol=2e-4)


def test_the_start_is_close():
    kernel = jnp.asarray(RNG.normal(size=(64, 32)), jnp.float32)
    variables = SpectralNorm().init(jax.random.key(1), kernel, train=True)
    sigma = variables["spectral"]["sigma"]
    assert 0.93 * sigma_of(kernel) < sigma <= 1.0001 * sigma_of(kernel)  # never more than the truth


def test_only_training_moves_the_state():
    kernel = jnp.asarray(RNG.normal(size=(6, 5)), jnp.float32)
    layer = SpectralNorm()
    variables = layer.init(jax.random.key(0), kernel, train=True)
    _, same = layer.apply(variables, kernel, train=False, mutable=["spectral"])
    np.testing.assert_array_equal(same["spectral"]["u"], variables["spectral"]["u"])
    _, moved = layer.apply(variables, kernel, train=True, mutable=["spectral"])
    assert not np.array_equal(moved["spectral"]["u"], variables["spectral"]["u"])
    layer.apply(variables, kernel, train=False)  # and evaluation needs no mutable collection


def test_averaged_weights_get_their_own_sigma():
    kernel = jnp.asarray(RNG.normal(size=(6, 5)), jnp.float32)
    layer = SpectralNorm(n_steps=20)
    variables = layer.init(jax.random.key(0), kernel, train=True)
    np.testing.assert_allclose(sigma_of(layer.apply(variables, 0.1 * kernel, train=False)), 1.0, rtol=1e-2)


def test_gradient_is_the_papers():
    """d/dW of <C, W / sigma> at converged u, v: (C - <C, W / sigma> v u') / sigma (Miyato et al. 2018, eq. 12)."""
    kernel, cotangent = RNG.normal(size=(2, 6, 5))
    left, values, right = np.linalg.svd(kernel)
    weight = (cotangent * kernel).sum() / values[0]
    expected = (cotangent - weight * np.outer(left[:, 0], right[0])) / values[0]
    with jax.enable_x64(True):
        layer = SpectralNorm(n_steps=300)
        variables = layer.init(jax.random.key(0), jnp.asarray(kernel), train=True)
        found = jax.grad(lambda k: jnp.sum(cotangent * layer.apply(variables, k, train=False)))(jnp.asarray(kernel))
    np.testing.assert_allclose(found, expected, atol=1e-8)


def test_steps_count():
    kernel = jnp.asarray(np.diag([2.0, 1.0]), jnp.float32)
    u = jnp.array([1.0, 1.0]) / np.sqrt(2)
    # Each round multiplies the ratio of components by (2 / 1)^2.
    for steps in (1, 2, 3):
        found, _ = power_iteration(kernel, u, steps)
        np.testing.assert_allclose(found[0] / found[1], 4.0**steps, rtol=1e-5)
    with pytest.raises(UserError, match="at least one"):
        power_iteration(kernel, u, 0)


def test_averaging_over_shards_changes_nothing():
    kernel = jnp.asarray(RNG.normal(size=(6, 5)), jnp.float32)
    layer = SpectralNorm()
    variables = layer.init(jax.random.key(0), kernel, train=True)

    def step(x):
        out, stats = layer.apply(variables, kernel, train=True, mutable=["spectral"])
        return x @ out, axis.pmean(stats)

    x = jnp.ones((4, 2, 6))
    out, stats = jax.vmap(step, axis_name="data")(x)
    whole, alone = step(x[0])
    np.testing.assert_allclose(out[3], whole, rtol=1e-6, atol=1e-6)  # a small sum of large products
    np.testing.assert_allclose(stats["spectral"]["u"][2], alone["spectral"]["u"], rtol=1e-6)
