"""The grouped convolution against `lax`'s: values, derivatives of both orders, seeds by vmap, both lowerings."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from gen_jax.core.errors import UserError
from gen_jax.nets import grouped_conv as module
from gen_jax.nets.grouped_conv import grouped_conv

RNG = np.random.default_rng(0)
X = jnp.asarray(RNG.normal(size=(2, 5, 6, 12)), jnp.float32)
K = jnp.asarray(RNG.normal(size=(3, 3, 4, 6)), jnp.float32)  # 3 groups of 4 channels to 2


def reference(x, kernel, groups=3):
    layout = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=layout, feature_group_count=groups)


def penalty(function, x, kernel):
    slope = jax.grad(lambda x: jnp.sum(jnp.sin(function(x, kernel))))(x)
    return jnp.sum(slope**2)


def ours(x, kernel):
    return grouped_conv(x, kernel, 3)


def same(a, b):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-4), a, b)


def derivatives(f):
    """First and second order, forward over reverse too."""
    first = jax.grad(lambda x, k: jnp.sum(jnp.sin(f(x, k))), (0, 1))
    second = jax.grad(lambda x, k: penalty(f, x, k), (0, 1))
    return first(X, K), second(X, K), jax.jvp(lambda k: first(X, k), (K,), (jnp.cos(K),))


def test_values_and_derivatives():
    same(ours(X, K), reference(X, K))
    same(derivatives(ours), derivatives(reference))


@pytest.mark.parametrize("axes", [(0, 0), (0, None), (None, 0), (1, 2)])
def test_seeds(axes):
    def members(a, axis):
        return a if axis is None else jnp.stack([a, 2 * jnp.cos(a)], axis)

    arguments = members(X, axes[0]), members(K, axes[1])
    same(jax.vmap(ours, axes)(*arguments), jax.vmap(reference, axes)(*arguments))
    slopes = [
        jax.vmap(jax.grad(lambda x, k, f=f: jnp.sum(f(x, k) ** 2), (0, 1)), axes)(*arguments) for f in (ours, reference)
    ]
    same(*slopes)


def test_the_two_lowerings_are_one_function():
    same(module._plain(X, K, groups=3), module._one_by_one(X, K, groups=3))
    g = reference(X, K)
    window = {"groups": 3, "window": (3, 3)}
    same(module._plain_weight(X, g, **window), module._one_by_one_weight(X, g, **window))


def test_channels_in_whole_groups():
    with pytest.raises(UserError, match="whole groups"):
        grouped_conv(X, K, 4)
