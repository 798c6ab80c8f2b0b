"""Layers: the same on one device and on four shards, float32 parameters, PyTorch's constants, independent of layout."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gen_jax.core.errors import UserError
from gen_jax.nets.layers import (
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    Dropout,
    LayerNorm,
    leaky_relu,
    normal_init,
    one_hot,
    with_label,
)

KEY = jax.random.key(0)


def by_shards(function, *arrays, shards=4):
    """`function` on every shard of the rows under the data axis, put back together."""
    split = [a.reshape(shards, -1, *a.shape[1:]) for a in arrays]
    return jax.vmap(function, axis_name="data")(*split)


def test_dropout_masks_do_not_depend_on_the_layout():
    x = jnp.ones((8, 3, 5))

    def drop(x):
        return Dropout(0.4).apply({}, x, train=True, rngs={"dropout": KEY})

    whole = drop(x)
    np.testing.assert_array_equal(by_shards(drop, x).reshape(x.shape), whole)
    assert len(np.unique(np.asarray(whole).reshape(8, -1), axis=0)) == 8  # every example has a mask of its own


def test_dropout_keeps_the_mean_and_is_the_identity_outside_training():
    x = jnp.ones((64, 500))
    dropped = Dropout(0.25).apply({}, x, train=True, rngs={"dropout": KEY})
    assert set(np.unique(dropped)) == {0.0, np.float32(1 / 0.75)}
    assert abs(float(dropped.mean()) - 1) < 0.02  # 32,000 draws: standard error 0.003
    np.testing.assert_array_equal(Dropout(0.25).apply({}, x, train=False), x)
    np.testing.assert_array_equal(Dropout(0.0).apply({}, x, train=True), x)
    with pytest.raises(UserError, match="up to, but not including, 1"):
        Dropout(1.0).apply({}, x, train=True)


def test_batch_norm_is_the_same_on_four_shards():
    x = 3 + 2 * jax.random.normal(KEY, (8, 4, 4, 3))
    norm = BatchNorm()
    variables = norm.init(KEY, x, train=False)

    def gradient(x, weight):
        def loss(x):
            y, new = norm.apply(variables, x, train=True, mutable=["batch_stats"])
            return jnp.sum(weight * y), (y, new)

        (_, (y, new)), g = jax.value_and_grad(loss, has_aux=True)(x)
        return y, g, new

    weight = jax.random.normal(jax.random.key(1), x.shape)
    whole_y, whole_g, whole_new = gradient(x, weight)
    shard_y, shard_g, shard_new = by_shards(gradient, x, weight)
    np.testing.assert_allclose(shard_y.reshape(x.shape), whole_y, atol=2e-5)
    # A loss summed over shards: inside vmap, each shard's gradient already has the other shards' share.
    np.testing.assert_allclose(shard_g.reshape(x.shape), whole_g, atol=2e-5)
    for a, b in zip(jax.tree.leaves(shard_new), jax.tree.leaves(whole_new), strict=True):
        np.testing.assert_allclose(a, jnp.broadcast_to(b, a.shape), rtol=1e-5)


def test_batch_norm_by_hand():
    x = jnp.asarray([[0.0], [2.0]])
    norm = BatchNorm()
    variables = norm.init(KEY, x, train=False)
    y, new = norm.apply(variables, x, train=True, mutable=["batch_stats"])
    np.testing.assert_allclose(y, np.array([[-1.0], [1.0]]) / np.sqrt(1 + 1e-5), rtol=1e-6)
    assert float(new["batch_stats"]["mean"][0]) == pytest.approx(0.1)  # .9 * 0 + .1 * 1
    assert float(new["batch_stats"]["var"][0]) == pytest.approx(1.0)  # .9 * 1 + .1 * 1
    np.testing.assert_allclose(norm.apply(variables, x, train=False), x / np.sqrt(1 + 1e-5), rtol=1e-6)


def test_batch_norm_statistics_are_float32_in_bfloat16():
    x = (100 + jax.random.normal(KEY, (64, 8))).astype(jnp.bfloat16)
    norm = BatchNorm(dtype=jnp.bfloat16)
    variables = norm.init(KEY, x, train=False)
    y, new = norm.apply(variables, x, train=True, mutable=["batch_stats"])
    assert y.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves((variables, new))} == {jnp.dtype(jnp.float32)}
    exact = 0.1 * np.asarray(x, np.float64).mean(0)
    np.testing.assert_allclose(new["batch_stats"]["mean"], exact, rtol=1e-5)  # bfloat16 alone is good to 4e-3


def test_layer_norm_looks_at_one_example():
    x = 5 + 3 * jax.random.normal(KEY, (4, 6, 6, 3))
    norm = LayerNorm()
    variables = norm.init(KEY, x, train=False)
    y = norm.apply(variables, x, train=True)
    np.testing.assert_allclose(np.asarray(y).reshape(4, -1).mean(1), 0, atol=1e-5)
    np.testing.assert_allclose(np.asarray(y).reshape(4, -1).std(1), 1, atol=1e-4)
    np.testing.assert_allclose(norm.apply(variables, x[:1], train=True), y[:1], atol=1e-5)
    assert variables["params"]["scale"].shape == (3,)


@pytest.mark.parametrize("layer", [Conv(5, 4, 2), ConvTranspose(5), Dense(5)], ids=lambda layer: type(layer).__name__)
@pytest.mark.parametrize("spectral", [False, True])
def test_bfloat16_computes_in_bfloat16_with_float32_parameters(layer, spectral):
    x = jnp.ones((2, 6, 6, 3))
    layer = layer.clone(dtype=jnp.bfloat16, spectral=spectral)
    variables = layer.init(KEY, x)
    assert layer.apply(variables, x).dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype(jnp.float32)}
    assert ("spectral" in variables) == spectral


def test_spectral_layers_have_unit_norm():
    x = jnp.ones((2, 4, 4, 3))
    for layer in (Conv(5, 4, 2, spectral=True), ConvTranspose(5, spectral=True), Dense(5, spectral=True)):
        variables = layer.init(KEY, x)
        kernel = variables["params"]["kernel"]
        if isinstance(layer, ConvTranspose):
            kernel = kernel.swapaxes(2, 3)
        largest = np.linalg.svd(np.asarray(kernel).reshape(-1, 5), compute_uv=False)[0]
        plain = layer.clone(spectral=False)
        scaled = {"params": {**variables["params"], "kernel": variables["params"]["kernel"] / largest}}
        np.testing.assert_allclose(layer.apply(variables, x), plain.apply(scaled, x), rtol=1e-2, atol=1e-3)


def test_shapes_and_kernels():
    x = jnp.ones((2, 7, 6, 3))
    down, up = Conv(5, 4, 2), ConvTranspose(5)
    assert down.apply(down.init(KEY, x), x).shape == (2, 4, 3, 5)
    assert up.apply(up.init(KEY, x), x).shape == (2, 14, 12, 5)
    assert down.init(KEY, x)["params"]["kernel"].shape == (4, 4, 3, 5)
    assert up.init(KEY, x)["params"]["kernel"].shape == (4, 4, 5, 3)  # that of the convolution it transposes
    assert "bias" not in Conv(5, use_bias=False).init(KEY, x)["params"]


def test_transposed_kernels_start_by_their_inputs():
    x = jnp.ones((1, 4, 4, 256))
    kernel = ConvTranspose(2).init(KEY, x)["params"]["kernel"]
    assert float(kernel.std()) == pytest.approx((256 * 16) ** -0.5, rel=0.05)  # lecun_normal: variance 1 / fan-in


def test_normal_init_and_leaky_relu():
    drawn = normal_init(0.02, mean=1.0)(KEY, (200, 200))
    assert float(drawn.mean()) == pytest.approx(1.0, abs=1e-3)
    assert float(drawn.std()) == pytest.approx(0.02, rel=0.02)
    np.testing.assert_allclose(leaky_relu(jnp.asarray([-10.0, 3.0])), [-2.0, 3.0])


def test_labels_join_vectors_and_maps():
    label = jnp.asarray([2, 0])
    np.testing.assert_array_equal(with_label(jnp.zeros((2, 1)), label, 3), [[0, 0, 0, 1], [0, 1, 0, 0]])
    maps = with_label(jnp.zeros((2, 4, 4, 1)), label, 3)
    assert maps.shape == (2, 4, 4, 4)
    np.testing.assert_array_equal(maps[0, 1, 3], [0, 0, 0, 1])
    x = jnp.zeros((2, 4))
    assert with_label(x, None, None) is x
    for wrong in ((None, 3), (label, None)):
        with pytest.raises(UserError, match="together, or neither"):
            one_hot(*wrong)
