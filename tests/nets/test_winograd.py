"""Winograd's algorithm gives the convolution and both of its gradients, at float32's precision, where it is chosen."""

import jax.numpy as jnp
import numpy as np
import pytest

from gen_jax.nets import conv_cpu, conv_plain

# (rows, columns), window, stride: one tile and several, not square
CASES = [((4, 4), 4, 2), ((8, 12), 4, 2), ((2, 2), 3, 1), ((6, 4), 3, 1)]
PADDING = ((1, 1), (1, 1))
rng = np.random.default_rng(0)


def draw(*shape):
    return jnp.asarray(rng.normal(size=shape), jnp.float32)


@pytest.fixture(autouse=True)
def for_small_sizes(monkeypatch):
    monkeypatch.setattr(conv_cpu, "DEAR", 0)
    monkeypatch.setattr(conv_cpu, "WIDE", 2)


def close(ours, plain):
    assert ours.shape == plain.shape
    assert ours.dtype == plain.dtype
    np.testing.assert_allclose(ours, plain, rtol=0, atol=2e-6 * float(jnp.abs(plain).max()))


@pytest.mark.parametrize(("size", "window", "stride"), CASES)
def test_three_faces(size, window, stride, monkeypatch):
    x, kernel = draw(2, *size, 5), draw(window, window, 5, 6)
    g = draw(2, size[0] // stride, size[1] // stride, 6)
    chosen = []
    for name in ("conv3", "conv4", "input_grad4", "weight_grad3", "weight_grad4"):
        true = getattr(conv_cpu.winograd, name)
        monkeypatch.setattr(conv_cpu.winograd, name, lambda *a, true=true: chosen.append(1) or true(*a))
    common = {"stride": stride, "padding": PADDING}
    close(conv_cpu.conv(x, kernel, **common), conv_plain.plain_conv(x, kernel, **common))
    close(
        conv_cpu.input_grad(g, kernel, size=size, **common),
        conv_plain.plain_input_grad(g, kernel, size=size, **common),
    )
    close(
        conv_cpu.weight_grad(x, g, window=(window, window), **common),
        conv_plain.plain_weight_grad(x, g, window=(window, window), **common),
    )
    assert len(chosen) == 3


@pytest.mark.parametrize(
    ("image", "kernel", "stride", "dtype"),
    [
        ((2, 6, 8, 5), (4, 4, 5, 6), 2, jnp.float32),  # half a tile
        ((2, 8, 8, 5), (5, 5, 5, 6), 2, jnp.float32),  # another kernel
        ((2, 8, 8, 1), (4, 4, 1, 6), 2, jnp.float32),  # pixels
        ((2, 8, 8, 5), (4, 4, 5, 6), 2, jnp.bfloat16),  # too few digits for sums before products
    ],
)
def test_left_to_other_programs(image, kernel, stride, dtype):
    assert not conv_cpu._tiled(image, kernel, stride, PADDING, dtype)
