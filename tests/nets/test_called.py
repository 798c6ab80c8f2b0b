"""What a program calls several times it holds once, and computes as if it were written out."""

import jax
import jax.numpy as jnp
import numpy as np

from gen_jax.nets.called import called

X = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)


def layer(x, w):
    return jnp.tanh(jnp.pad(x, ((0, 0), (1, 1))) @ w)


def calls(function, *arrays):
    text = jax.jit(function).lower(*arrays).compile().as_text()
    return text.count(" call(")


def test_it_stays_a_call_and_has_the_same_value_and_gradient():
    w = np.random.default_rng(1).normal(size=(7, 5)).astype(np.float32)

    def twice(function):
        return lambda x, w: (function(function(x, w), w) ** 2).sum()

    assert calls(twice(layer), X, w) == 0
    assert calls(twice(called(layer)), X, w) == 2
    for order in (lambda f: f, jax.grad, lambda f: jax.hessian(f, argnums=1)):
        plain, kept = (jax.jit(order(twice(function)))(X, w) for function in (layer, called(layer)))
        np.testing.assert_allclose(kept, plain, rtol=1e-5, atol=1e-5)


def test_it_maps_over_an_axis():
    w = np.ones((3, 7, 5), np.float32)
    np.testing.assert_allclose(jax.vmap(called(layer), (None, 0))(X, w), jax.vmap(layer, (None, 0))(X, w), rtol=1e-6)


def test_other_shapes_are_other_calls():
    w = np.ones((7, 5), np.float32)
    assert calls(lambda a, b, w: (called(layer)(a, w), called(layer)(b, w)), X, X[:2], w) == 2
