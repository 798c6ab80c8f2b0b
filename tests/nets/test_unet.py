"""The U-Net: how it starts, that examples keep to themselves, sizes, what it is told, errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gan_nets import parameters, start

from gen_jax.core.errors import UserError
from gen_jax.nets.unet import UNet, waves

IMAGES = jax.random.normal(jax.random.key(0), (3, 8, 12, 2))
TIME = jnp.array([0.0, 0.4, 1.0])
LABEL = jnp.array([1, 0, 1], jnp.int32)


def filled(params):
    """Parameters none of which is 0, so that every layer has a say."""
    return jax.tree.map(lambda leaf: leaf + 0.1 * jnp.cos(jnp.arange(leaf.size)).reshape(leaf.shape), params)


def test_it_starts_at_zero_or_at_its_input():
    for skip in (False, True):
        net = UNet(2, 4, (1, 2), skip=skip)
        params, _ = start(net, IMAGES)
        np.testing.assert_array_equal(
            net.apply({"params": params}, IMAGES, train=False), IMAGES if skip else 0 * IMAGES
        )


def test_examples_keep_to_themselves_and_hear_time_and_label():
    net = UNet(1, 4, (1, 2), classes=2)
    params = filled(start(net, IMAGES, TIME, LABEL)[0])
    run = jax.jit(lambda *given: net.apply({"params": params}, *given, train=False))
    both = run(IMAGES, TIME, LABEL)
    assert both.shape == (3, 8, 12, 1)
    np.testing.assert_allclose(run(IMAGES[1:2], TIME[1:2], LABEL[1:2])[0], both[1], atol=1e-5)
    assert not np.allclose(run(IMAGES, TIME[::-1], LABEL)[0], both[0])
    assert not np.allclose(run(IMAGES, TIME, 1 - LABEL), both)


def test_parameters_by_hand():
    def conv(i, o, k=3, bias=True):
        return i * o * k * k + bias * o

    def block(i, o):
        return 2 * i + conv(i, o) + 2 * o + conv(o, o) + (conv(i, o, 1, bias=False) if i != o else 0)

    down = conv(3, 4) + block(4, 4) + conv(4, 4) + block(4, 8) + block(8, 8)
    up = block(8 + 8, 8) + block(8 + 4, 8) + conv(8, 8) + block(8 + 4, 4) + block(4 + 4, 4)
    assert parameters(UNet(1, 4, (1, 2)), (1, 16, 16, 3)) == down + up + 2 * 4 + conv(4, 1)


@pytest.mark.parametrize("size", [(9, 8), (8, 6), (10, 10)])
def test_sizes_that_do_not_halve(size):
    with pytest.raises(UserError, match="multiple of 4") as caught:
        jax.eval_shape(lambda: UNet(1, 4, (1, 1, 1)).init(jax.random.key(0), jnp.ones((1, *size, 1)), train=False))
    assert "\n" not in str(caught.value)


def test_waves_tell_times_apart():
    found = np.asarray(waves(jnp.linspace(0, 1, 50), 16))
    assert found.shape == (50, 16)
    distances = np.linalg.norm(found[:, None] - found[None], axis=-1)
    assert distances[~np.eye(50, dtype=bool)].min() > 0.1
