"""R3GAN: published parameter counts, how it starts, the bases, bfloat16, R1 and R2, sizes and errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gan_nets import call, pair, start
from jax import lax

from gen_jax.core.errors import UserError
from gen_jax.nets import r3gan

NARROW = r3gan.stages_of((4, 4), group=2, blocks=1)
LATENTS = jax.random.normal(jax.random.key(0), (3, 5))
IMAGES = jax.random.uniform(jax.random.key(1), (3, 8, 8, 1), minval=-1.0)
LABEL = jnp.array([1, 0, 1], jnp.int32)


def test_published_parameter_counts():
    def both(size, stages, classes=None):
        networks = r3gan.Generator((size, size, 3), stages, classes), r3gan.Discriminator(stages, classes)
        return pair(*networks, 64, size, label=classes is not None)

    assert both(32, r3gan.CIFAR10, 10) == (20_781_952, 21_280_512)
    assert both(32, r3gan.CIFAR10) == (20_732_160, 20_683_776)
    assert both(32, r3gan.IMAGENET32, 1000) == (82_914_304, 86_548_992)
    assert both(64, r3gan.FFHQ64) == (22_429_824, 22_381_440)


def test_published_stages_by_their_rule():
    assert r3gan.stages_of((768,) * 4) == r3gan.CIFAR10
    assert r3gan.stages_of((1536,) * 4, group=32) == r3gan.IMAGENET32
    assert r3gan.stages_of((768,) * 4 + (384,)) == r3gan.FFHQ64


@pytest.mark.parametrize(("size", "stages"), [(8, 2), (28, 3), (32, 4), (64, 5)])
def test_sizes(size, stages):
    stages = r3gan.stages_of((4,) * stages, group=2)
    generator, critic = r3gan.Generator((size, size, 3), stages), r3gan.Discriminator(stages)
    made = jax.eval_shape(lambda z: generator.init_with_output(jax.random.key(0), z, train=True)[0], LATENTS)
    assert made.shape == (3, size, size, 3)
    logits = jax.eval_shape(
        lambda x: critic.init_with_output(jax.random.key(0), x, train=True)[0], jnp.ones((3, size, size, 3))
    )
    assert logits.shape == (3,)


def test_blocks_start_as_the_identity_with_the_published_spread():
    x = jax.random.normal(jax.random.key(2), (2, 4, 4, 64))
    block = r3gan.Block(8, depth=16)
    params, _ = start_stateless(block, x)
    np.testing.assert_array_equal(block.apply({"params": params}, x), x)
    gain = np.sqrt(2 / 1.04) / 2  # L^(-1/4) is 1/2 for 16 blocks
    np.testing.assert_allclose(params["widen"]["kernel"].std(), gain / 8, rtol=0.05)
    np.testing.assert_allclose(params["grouped"].std(), gain / np.sqrt(9 * 16), rtol=0.05)
    assert not params["narrow"]["kernel"].any()


def start_stateless(module, *inputs):
    variables = module.init(jax.random.key(0), *inputs)
    return variables["params"], {}


def test_the_critics_basis_is_a_depthwise_valid_convolution():
    stages = r3gan.Stages((4,), (2,), blocks=0)
    critic = r3gan.Discriminator(stages)
    images = IMAGES[:, :4, :4]
    params, stats = start(critic, images)
    mixed = images @ params["pixels"]["kernel"]
    kernel = params["basis"][:, :, None, :]
    layout = ("NHWC", "HWIO", "NHWC")
    seen = lax.conv_general_dilated(mixed, kernel, (1, 1), "VALID", dimension_numbers=layout, feature_group_count=4)
    expected = seen.reshape(3, 4) @ params["features"]["kernel"]
    np.testing.assert_allclose(call(critic, params, stats, images, train=True)[0], expected[:, 0], atol=1e-5)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_narrow_networks_are_finite(dtype):
    generator = r3gan.Generator((8, 8, 1), NARROW, 2, 6, dtype)
    params, stats = start(generator, LATENTS, LABEL)
    assert stats == {}
    images = jax.jit(lambda z: call(generator, params, stats, z, LABEL, train=True)[0])(LATENTS)
    critic = r3gan.Discriminator(NARROW, 2, dtype)
    params, stats = start(critic, images, LABEL)
    logits = jax.jit(lambda x: call(critic, params, stats, x, LABEL, train=True)[0])(images)
    assert logits.dtype == images.dtype == jnp.float32
    assert logits.shape == (3,)
    assert np.isfinite(images).all()
    assert np.isfinite(logits).all()


def test_r1_can_be_differentiated():
    """The derivative of R1 along a direction against a central difference, too short to cross a kink."""
    critic = r3gan.Discriminator(NARROW)
    params, stats = start(critic, IMAGES)
    params = jax.tree.map(lambda a: a + 0.1 * jnp.cos(jnp.arange(a.size, dtype=a.dtype)).reshape(a.shape), params)

    @jax.jit
    @jax.value_and_grad
    def penalty(step):
        moved = jax.tree.map(lambda a: a * (1 + step), params)
        slopes = jax.grad(lambda x: call(critic, moved, stats, x, train=True)[0].sum())(IMAGES)
        return jnp.sum(slopes**2)

    ahead, behind = penalty(jnp.float32(1e-4))[0], penalty(jnp.float32(-1e-4))[0]
    np.testing.assert_allclose(penalty(jnp.float32(0.0))[1], (ahead - behind) / 2e-4, rtol=2e-2)


def test_what_cannot_be_is_said():
    for module, message in (
        (r3gan.Generator((30, 30, 1), r3gan.stages_of((4,) * 3, 2)), "multiple of 4 pixels"),
        (r3gan.Generator((8, 8, 1), r3gan.Stages((4, 4), (2,))), "groups for each of its 2 stages"),
        (r3gan.Generator((8, 8, 1), r3gan.Stages((4, 4), (3, 3))), "3 equal groups"),
        (r3gan.Generator((8, 8, 1), NARROW, 2), "needs labels"),
    ):
        with pytest.raises(UserError, match=message):
            jax.eval_shape(lambda m=module: m.init(jax.random.key(0), LATENTS, train=True))
    with pytest.raises(UserError, match="whole groups of 16"):
        r3gan.stages_of((20,), 16)
