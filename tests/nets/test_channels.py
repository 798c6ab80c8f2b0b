"""Channel sums and their transpose against XLA's own, at every order of differentiation; BatchNorm against Flax's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax.test_util import check_grads

from gen_jax.nets.channels import channel_sum, spread
from gen_jax.nets.layers import BatchNorm, normal_init


@pytest.mark.parametrize("shape", [(64, 7, 7, 5), (4, 8, 8, 3), (3, 5, 7, 2), (256, 6), (5, 6)])
def test_sums_are_those_of_numpy(shape):
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    expected = x.reshape(-1, shape[-1]).sum(axis=0, dtype=np.float64)
    for run in (channel_sum, jax.jit(channel_sum)):
        np.testing.assert_allclose(run(x), expected, rtol=1e-5, atol=1e-4)


def test_bfloat16_is_summed_in_float32():
    x = jnp.full((4096, 1), 1 + 1 / 128, jnp.bfloat16)
    assert float(channel_sum(x)[0]) == float(jnp.sum(x)) == 4128.0


def test_derivatives_of_any_order_forward_and_reverse():
    x = jax.random.normal(jax.random.key(0), (4, 4, 4, 3))

    def f(v, x):
        return jnp.sum(jnp.sin(channel_sum(jnp.tanh(x * spread(v, x)))))

    check_grads(f, (jnp.array([0.3, -0.2, 0.5]), x), order=2, modes=("fwd", "rev"), rtol=2e-2, atol=2e-2)


def test_members_of_a_vmap_are_summed_alone():
    x = jax.random.normal(jax.random.key(0), (2, 8, 4, 4, 3))
    v = jnp.arange(6.0).reshape(2, 3)
    np.testing.assert_allclose(jax.vmap(channel_sum)(x), x.sum((1, 2, 3)), rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(jax.vmap(spread)(v, x), jnp.broadcast_to(v[:, None, None, None], x.shape))
    np.testing.assert_array_equal(jax.vmap(spread, (None, 0))(v[0], x), jnp.broadcast_to(v[0], x.shape))


def test_a_vector_of_another_length_is_refused():
    with pytest.raises(TypeError, match="each of 3 channels"):
        spread(jnp.zeros(1), jnp.zeros((2, 3)))


@pytest.mark.parametrize("shape", [(16, 4, 4, 6), (12, 6)])
@pytest.mark.parametrize("use_scale", [True, False])
def test_batch_norm_is_flaxs_in_value_state_and_gradients(shape, use_scale):
    x = 3 + 2 * jax.random.normal(jax.random.key(1), shape)
    weight = jax.random.normal(jax.random.key(2), shape)
    options = {"scale_init": normal_init(0.02, mean=1.0), "momentum": 0.9, "epsilon": 1e-5, "use_scale": use_scale}
    ours, flax = BatchNorm(**options), nn.BatchNorm(**options)
    variables = flax.init(jax.random.key(3), x, use_running_average=False)
    own = ours.init(jax.random.key(3), x, train=True)
    assert jax.tree.structure(own) == jax.tree.structure(variables)
    jax.tree.map(np.testing.assert_array_equal, own, variables)
    variables = jax.tree.map(lambda leaf: leaf + 0.1, variables)

    def loss(apply):
        def run(params, x):
            y, state = apply({**variables, "params": params}, x)
            return jnp.sum(weight * jnp.sin(y)), (y, state)

        return run

    losses = [
        loss(lambda v, x: flax.apply(v, x, use_running_average=False, mutable=["batch_stats"])),
        loss(lambda v, x: ours.apply(v, x, train=True, mutable=["batch_stats"])),
    ]

    def slope(f):  # of the squared gradient, as penalties take it
        return jax.grad(
            lambda params, x: sum(
                jnp.sum(g**2) for g in jax.tree.leaves(jax.grad(f, (0, 1), has_aux=True)(params, x)[0])
            ),
            (0, 1),
        )

    expected, found = (jax.value_and_grad(f, (0, 1), has_aux=True)(variables["params"], x) for f in losses)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-4), found, expected)
    expected, found = (slope(f)(variables["params"], x) for f in losses)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-3), found, expected)
    expected = jnp.asarray(flax.apply(variables, x, use_running_average=True))
    np.testing.assert_allclose(jnp.asarray(ours.apply(variables, x, train=False)), expected, rtol=1e-5, atol=1e-5)
