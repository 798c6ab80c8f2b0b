"""Masked convolutions as products over the taps that are left: as with a mask in a convolution, and no later place."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gen_jax.nets import vq


def masked(kernel, bias, x, strict):
    """XLA's convolution with zeros where the future is."""
    size = kernel.shape[0]
    order = np.arange(size * size).reshape(size, size, 1, 1)
    mask = order < size * size // 2 if strict else order <= size * size // 2
    plain = jax.lax.conv_general_dilated(
        x, kernel * mask, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"), precision="highest"
    )
    return plain + bias


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("size", [3, 5])
def test_a_masked_convolution_is_one_with_a_mask_in_it(size, strict):
    """Values, and gradients to image, kernel and bias."""
    keys = jax.random.split(jax.random.key(0), 4)
    x, weight = jax.random.normal(keys[0], (2, 6, 5, 3)), jax.random.normal(keys[1], (2, 6, 5, 4))
    kernel, bias = jax.random.normal(keys[2], (size, size, 3, 4)), jax.random.normal(keys[3], (4,))
    layer = vq.MaskedConv(4, size, strict=strict)

    def ours(kernel, bias, x):
        return jnp.sum(weight * layer.apply({"params": {"kernel": kernel, "bias": bias}}, x))

    def plain(kernel, bias, x):
        return jnp.sum(weight * masked(kernel, bias, x, strict))

    np.testing.assert_allclose(
        layer.apply({"params": {"kernel": kernel, "bias": bias}}, x),
        masked(kernel, bias, x, strict),
        rtol=1e-4,
        atol=1e-5,
    )
    for left, right in zip(
        jax.grad(ours, (0, 1, 2))(kernel, bias, x), jax.grad(plain, (0, 1, 2))(kernel, bias, x), strict=True
    ):
        np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-4)


def test_a_place_sees_only_what_comes_before_it():
    prior = vq.CodePrior(codes=5, width=4, layers=2)
    numbers = jax.random.randint(jax.random.key(0), (1, 4, 4), 0, 5)
    params = prior.init(jax.random.key(1), numbers, train=True)
    before = prior.apply(params, numbers, train=True)
    for place in (0, 6, 15):
        other = numbers.at[0, place // 4, place % 4].add(1) % 5
        moved = np.abs(prior.apply(params, other, train=True) - before).max(axis=-1).ravel()
        assert (moved[: place + 1] == 0).all()
        assert place == 15 or moved[place + 1 :].any()


def test_asked_place_by_place_it_says_what_it_says_of_the_whole_grid():
    prior = vq.CodePrior(codes=5, width=4, layers=2, kernel_size=3)
    numbers = jax.random.randint(jax.random.key(0), (3, 4, 6), 0, 5)
    params = prior.init(jax.random.key(1), numbers, train=True)
    whole = prior.apply(params, numbers, train=False)
    memory = {}
    for place in range(24):
        at = jnp.int32(place // 6), jnp.int32(place % 6)
        past = jnp.where(jnp.arange(24).reshape(4, 6) < place, numbers, 0)  # nothing of what comes after
        logits, memory = prior.apply(params | memory, past, train=False, at=at, mutable=["memory"])
        np.testing.assert_allclose(logits[:, 0, 0], whole[:, place // 6, place % 6], rtol=1e-5, atol=1e-6)


def test_a_prior_is_its_formula():
    """Embedding, a strict layer with the places added, gated residual layers on the activated input, logits."""
    prior = vq.CodePrior(codes=5, width=4, layers=2, kernel_size=3)
    numbers = jax.random.randint(jax.random.key(0), (3, 4, 6), 0, 5)
    params = prior.init(jax.random.key(1), numbers, train=True)["params"]
    params = jax.tree.map(lambda leaf: leaf + 0.1, params)  # biases are no longer 0

    def layer(number, x, strict=False):
        own = params[f"MaskedConv_{number}"]
        return masked(own["kernel"], own["bias"], x, strict)

    x = layer(0, params["Embed_0"]["embedding"][numbers], strict=True) + params["place"]
    for number in (1, 2):
        y = layer(number, np.where(x > 0, x, np.expm1(x)))
        x = x + np.tanh(y[..., :4]) / (1 + np.exp(-y[..., 4:]))
    expected = np.maximum(x, 0) @ params["Conv_0"]["kernel"][0, 0] + params["Conv_0"]["bias"]
    found = prior.apply({"params": params}, numbers, train=False)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
