"""Conditional normalisation and projection against what they say in numpy; attention against its formula."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gan_nets import call, start

from gen_jax.core.errors import UserError
from gen_jax.nets.attention import SelfAttention
from gen_jax.nets.conditioning import ConditionalBatchNorm, ProjectionHead, VectorBatchNorm, check_label, lookup

RNG = np.random.default_rng(3)
X = jnp.asarray(RNG.normal(2.0, 3.0, size=(8, 3, 4, 5)), jnp.float32)
LABEL = jnp.array([0, 2, 1, 1, 0, 2, 2, 1], jnp.int32)
VECTOR = jnp.asarray(RNG.normal(size=(8, 6)), jnp.float32)


def normalised(x):
    x = np.asarray(x, np.float64)
    return (x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + 1e-5)


def test_a_class_has_its_own_gain_and_bias():
    layer = ConditionalBatchNorm(3)
    params, stats = start(layer, X, LABEL)
    params = {"gain": jnp.asarray(RNG.normal(size=(3, 5))), "bias": jnp.asarray(RNG.normal(size=(3, 5)))}
    found, _ = call(layer, params, stats, X, LABEL, train=True)
    gain, bias = (np.asarray(params[name])[LABEL][:, None, None] for name in ("gain", "bias"))
    np.testing.assert_allclose(found, normalised(X) * (1 + gain) + bias, atol=1e-4)


def test_a_vector_sets_gain_and_bias():
    layer = VectorBatchNorm(spectral=False)
    params, stats = start(layer, X, VECTOR)
    assert jax.tree.map(jnp.shape, params) == {"gain": {"kernel": (6, 5)}, "bias": {"kernel": (6, 5)}}
    found, _ = call(layer, params, stats, X, VECTOR, train=True)
    gain, bias = (np.asarray(VECTOR @ params[name]["kernel"])[:, None, None] for name in ("gain", "bias"))
    np.testing.assert_allclose(found, normalised(X) * (1 + gain) + bias, atol=1e-4)


@pytest.mark.parametrize("condition", [LABEL, VECTOR], ids=["class", "vector"])
def test_statistics_do_not_depend_on_the_layout(condition):
    layer = ConditionalBatchNorm(3) if condition is LABEL else VectorBatchNorm()
    params, stats = start(layer, X, condition)
    whole, moved = call(layer, params, stats, X, condition, train=True)

    def shard(x, c):
        return call(layer, params, stats, x, c, train=True)

    parts = [a.reshape(4, 2, *a.shape[1:]) for a in (X, condition)]
    apart, moved_apart = jax.vmap(shard, axis_name="data")(*parts)
    np.testing.assert_allclose(apart.reshape(whole.shape), whole, atol=1e-4)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a[3], b, rtol=1e-4, atol=1e-5), moved_apart, moved)


@pytest.mark.parametrize("spectral", [False, True])
def test_projection_is_a_linear_map_plus_a_product_with_the_class(spectral):
    features = jnp.asarray(RNG.normal(size=(8, 5)), jnp.float32)
    head = ProjectionHead(3, spectral)
    params, stats = start(head, features, LABEL)
    for _ in range(100):
        found, stats = call(head, params, stats, features, LABEL, train=True)
    kernel, table = np.asarray(params["linear"]["kernel"]), np.asarray(params["embedding"])
    if spectral:
        kernel, table = (a / np.linalg.svd(a, compute_uv=False)[0] for a in (kernel, table))
    np.testing.assert_allclose(found, features @ kernel[:, 0] + (table[LABEL] * features).sum(1), rtol=1e-3, atol=1e-4)


def test_labels_and_classes_go_together():
    with pytest.raises(UserError, match="needs labels"):
        check_label(None, 3)
    with pytest.raises(UserError, match="unconditional"):
        check_label(LABEL, None)
    assert np.isnan(lookup(jnp.ones((3, 2)), jnp.array([3]))).all()  # no silent neighbour for an unknown class


def test_attention_starts_as_the_identity_and_is_its_formula():
    x = jnp.asarray(RNG.normal(size=(2, 4, 6, 16)), jnp.float32)
    layer = SelfAttention(spectral=False)
    params, stats = start(layer, x)
    np.testing.assert_array_equal(call(layer, params, stats, x, train=True)[0], x)
    params["gamma"] = jnp.float32(0.7)
    found, _ = call(layer, params, stats, x, train=True)
    flat = np.asarray(x, np.float64).reshape(2, 24, 16)
    kernels = {name: np.asarray(params[name]["kernel"], np.float64) for name in ("theta", "phi", "g", "o")}
    assert {name: k.shape for name, k in kernels.items()} == {
        "theta": (16, 2),
        "phi": (16, 2),
        "g": (16, 8),
        "o": (8, 16),
    }
    pooled = [(flat @ kernels[n]).reshape(2, 2, 2, 3, 2, -1).max((2, 4)).reshape(2, 6, -1) for n in ("phi", "g")]
    scores = np.exp(flat @ kernels["theta"] @ pooled[0].transpose(0, 2, 1))
    mixed = scores / scores.sum(-1, keepdims=True) @ pooled[1]
    np.testing.assert_allclose(found.reshape(flat.shape), flat + 0.7 * mixed @ kernels["o"], rtol=1e-4, atol=1e-4)


def test_attention_names_what_it_cannot_do():
    with pytest.raises(UserError, match="multiple of 8"):
        start(SelfAttention(), jnp.ones((1, 4, 4, 12)))
