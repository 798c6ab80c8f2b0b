"""WaveGAN: strided convolutions as XLA's, published sizes, phase shuffle, lengths."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gan_nets import parameters

from gen_jax.core.errors import UserError
from gen_jax.nets import wavegan

KEY = jax.random.key(0)
X = jax.random.normal(KEY, (2, 32, 3))
LAYOUT = ("NWC", "WIO", "NWC")


def test_going_down_is_a_convolution_of_25_with_stride_4():
    layer = wavegan.Down(5)
    params = layer.init(KEY, X)["params"]
    wanted = jax.lax.conv_general_dilated(X, params["kernel"], (4,), "SAME", dimension_numbers=LAYOUT)
    np.testing.assert_allclose(layer.apply({"params": params}, X), wanted, atol=1e-5)


def test_going_up_is_the_transpose_of_going_down():
    """<up(x), y> = <x, down(y)> for the same kernel."""
    up, down = wavegan.Up(3), wavegan.Down(5)
    y, x = X, jax.random.normal(KEY, (2, 8, 5))
    kernel = jax.random.normal(KEY, (25, 3, 5))
    higher = up.apply({"params": {"kernel": kernel.swapaxes(1, 2), "bias": jnp.zeros(3)}}, x)
    lower = down.apply({"params": {"kernel": kernel, "bias": jnp.zeros(5)}}, y)
    np.testing.assert_allclose(jnp.sum(higher * y), jnp.sum(x * lower), rtol=1e-4)


def test_published_sizes():
    """z of 100, d = 64, 16,384 samples: layer by layer as in the paper's tables 3 and 4."""
    conv = lambda i, o: 25 * i * o + o  # noqa: E731
    up = [(1024, 512), (512, 256), (256, 128), (128, 64), (64, 1)]
    assert parameters(wavegan.Generator(16384), (2, 100)) == 100 * 16384 + 16384 + sum(conv(*each) for each in up)
    down = [(1, 64), (64, 128), (128, 256), (256, 512), (512, 1024)]
    assert parameters(wavegan.Discriminator(), (2, 16384)) == sum(conv(*each) for each in down) + 16 * 1024 + 1


def test_phase_shuffle_moves_each_example_and_reflects_at_the_ends():
    x = jnp.broadcast_to(jnp.arange(12.0)[None, :, None], (64, 12, 1))
    shuffled = wavegan.PhaseShuffle(2).apply({}, x, True, rngs={"dropout": KEY})[..., 0]
    wide = np.pad(np.arange(12.0), 2, mode="reflect")
    found = {next(s for s in range(5) if np.array_equal(row, wide[s : s + 12])) for row in np.asarray(shuffled)}
    assert found == {0, 1, 2, 3, 4}
    np.testing.assert_array_equal(wavegan.PhaseShuffle(2).apply({}, x, False), x)
    np.testing.assert_array_equal(wavegan.PhaseShuffle(0).apply({}, x, True), x)


@pytest.mark.parametrize(("length", "wanted"), [(16384, (5, 16)), (8192, (5, 8)), (1024, (3, 16)), (64, (1, 16))])
def test_lengths(length, wanted):
    assert wavegan.stages_of(length) == wanted


@pytest.mark.parametrize("length", [16, 100, 8190, 17 * 64])
def test_lengths_that_cannot_be_made(length):
    with pytest.raises(UserError, match="give clips of") as caught:
        wavegan.stages_of(length)
    assert "\n" not in str(caught.value)
