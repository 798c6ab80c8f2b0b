"""Batch normalisation for accelerators is Flax's, to rounding: values, statistics and derivatives of either mode."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from gen_jax.core import platform
from gen_jax.nets import batch_norm, layers

EPSILON = 1e-5
SHAPES = [(64, 6), (16, 8, 8, 24), (2, 16, 16, 3), (7, 5)]  # in pieces, in pieces, in pieces, in one


def plain(x, scale, bias):
    """The layer as it is defined, with Flax's variance."""
    axes = tuple(range(x.ndim - 1))
    mean, square = x.mean(axes), (x * x).mean(axes)
    var = jnp.maximum(0, square - mean * mean)
    return (x - mean) * (jax.lax.rsqrt(var + EPSILON) * scale) + bias, mean, var


def ours(x, scale, bias):
    y, mean, var = batch_norm.normalise(x.reshape(-1, x.shape[-1]), scale, bias, EPSILON, jnp.float32)
    return y.reshape(x.shape), mean, var


def arguments(shape):
    keys = jax.random.split(jax.random.key(len(shape)), 4)
    x = 2 * jax.random.normal(keys[0], shape) + 1
    scale, bias = jax.random.normal(keys[1], shape[-1:]), jax.random.normal(keys[2], shape[-1:])
    return (x, scale, bias), jax.random.normal(keys[3], shape)


def close(found, wanted):
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5 * float(jnp.abs(b).max()) + 1e-7)


@pytest.mark.parametrize("shape", SHAPES)
def test_values_gradients_and_second_derivatives(shape):
    given, weight = arguments(shape)

    def of(layer):
        def loss(*given):
            y, mean, var = layer(*given)
            return jnp.sum(jnp.sin(y) * weight) + jnp.sum(jnp.cos(mean)) + jnp.sum(var**2)

        def slope(*given):
            return sum(jnp.sum(jnp.sin(g)) for g in jax.grad(loss, (0, 1, 2))(*given))

        moved = tuple(jnp.cos(a) for a in given)
        many = jax.vmap(jax.grad(loss), in_axes=(0, None, None))(jnp.stack([given[0], 2 * given[0]]), *given[1:])
        return (
            layer(*given),
            jax.grad(loss, (0, 1, 2))(*given),
            jax.grad(slope, (0, 1, 2))(*given),
            jax.jvp(layer, given, moved)[1],
            many,
        )

    close(jax.jit(lambda: of(ours))(), jax.jit(lambda: of(plain))())


def test_bfloat16_keeps_float32_sums():
    (x, scale, bias), _ = arguments((64, 32, 8))
    narrow = (x + 8).astype(jnp.bfloat16)
    y, mean, var = batch_norm.normalise(narrow.reshape(-1, 8), scale, bias, EPSILON, jnp.bfloat16)
    _, mean_, var_ = plain(narrow.astype(jnp.float32), scale, bias)
    assert y.dtype == jnp.bfloat16
    assert mean.dtype == var.dtype == jnp.float32
    close((mean, var), (mean_, var_))


def test_the_layer_is_the_same_layer_on_either_platform(monkeypatch):
    x = jax.random.normal(jax.random.key(0), (8, 4, 4, 6)) + 1
    found = {}
    for accelerated in (False, True):
        monkeypatch.setattr(platform, "accelerated", lambda accelerated=accelerated: accelerated)
        layer = layers.BatchNorm(scale_init=nn.initializers.normal(1.0))
        variables = layer.init(jax.random.key(1), x, train=False)
        y, moved = layer.apply(variables, x, train=True, mutable=["batch_stats"])
        still = layer.apply({**variables, **moved}, x, train=False)
        found[accelerated] = (variables, y, moved, still)
    assert jax.tree.structure(found[True]) == jax.tree.structure(found[False])
    close(found[True], found[False])


def test_the_batch_is_the_global_one():
    (x, scale, bias), weight = arguments((16, 4, 6))

    def value(x, weight):
        return jax.value_and_grad(lambda x: jnp.sum(jnp.sin(ours(x, scale, bias)[0]) * weight))(x)

    whole = value(x, weight)
    shards = x.reshape(4, 4, 4, 6), weight.reshape(4, 4, 4, 6)
    loss, gradient = jax.vmap(value, axis_name="data")(*shards)
    close((loss.sum(), gradient.reshape(x.shape)), whole)
    mesh, rows = Mesh(np.array(jax.devices()[:4]), ("data",)), PartitionSpec("data")
    split = NamedSharding(mesh, rows)
    close(jax.jit(value, in_shardings=(split, split))(x, weight), whole)

    def shard(x, weight):
        loss, gradient = value(x, weight)
        return loss[None], gradient

    mapped = jax.shard_map(shard, mesh=mesh, in_specs=(rows, rows), out_specs=(rows, rows), check_vma=False)
    losses, gradient = jax.jit(mapped)(x, weight)
    close((losses.sum(), gradient), whole)


@pytest.mark.parametrize(
    ("rows", "columns", "parts"),
    [(65536, 64, 256), (4096, 256, 64), (1024, 512, 32), (100, 400, 4), (64, 8, 4), (7, 5, 1)],
)
def test_pieces_divide_the_rows(rows, columns, parts):
    assert batch_norm.pieces(rows, columns) == parts
    assert rows % parts == 0
