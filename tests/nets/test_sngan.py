"""SNGAN and SAGAN: published parameter counts, shapes, statistics by layout, spectral state, bfloat16, penalties."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gan_nets import call, pair, start

from gen_jax.core import axis
from gen_jax.core.errors import UserError
from gen_jax.nets import sngan
from gen_jax.nets.resample import nearest_up
from gen_jax.nets.resnet import DiscriminatorBlock, GeneratorBlock

LATENTS = jax.random.normal(jax.random.key(5), (4, 6))
LABEL = jnp.array([0, 1, 1, 0], jnp.int32)
IMAGES = jax.random.uniform(jax.random.key(6), (4, 8, 8, 1), minval=-1.0)


def test_published_parameter_counts():
    def both(size, **options):
        return pair(sngan.Generator((size, size, 3), **options), sngan.Discriminator(**options), 128, size)

    assert both(32) == (4_276_739, 1_053_825)
    assert both(64) == (12_220_675, 10_141_441)
    assert both(128) == (32_150_787, 29_017_857)
    shape = (32, 32, 3)
    conditional = sngan.Generator(shape, classes=10), sngan.Discriminator(classes=10)
    assert pair(*conditional, 128, 32, label=True) == (4_304_387, 1_055_105)
    attentive = sngan.Generator(shape, None, 10, 2, spectral=True), sngan.Discriminator(None, 10, 1)
    assert pair(*attentive, 128, 32, label=True) == (4_386_308, 1_075_586)


@pytest.mark.parametrize("size", [8, 16, 28, 32, 64, 128])
def test_sizes(size):
    def shape(module, x):
        return jax.eval_shape(lambda x: module.init_with_output(jax.random.key(0), x, train=True)[0], x).shape

    assert shape(sngan.Generator((size, size, 1), 16), jnp.ones((2, 6))) == (2, size, size, 1)
    assert shape(sngan.Discriminator(16), jnp.ones((2, size, size, 1))) == (2,)


def test_other_sizes_are_refused_by_name():
    sizes = "8, 16, 28, 32, 64, 128"
    for wrong, told in (((20, 20, 1), sizes), ((32, 28, 1), sizes), ((2,), "images, not of points")):
        with pytest.raises(UserError, match=told):
            jax.eval_shape(lambda w=wrong: sngan.Generator(w).init(jax.random.key(0), LATENTS, train=True))
    for module, message in (
        (sngan.Generator((64, 64, 1), 24), "divided by 16"),
        (sngan.Generator((8, 8, 1), 16, attention=2), "choose 1 to 1"),
    ):
        with pytest.raises(UserError, match=message):
            jax.eval_shape(lambda m=module: m.init(jax.random.key(0), LATENTS, train=True))


@pytest.mark.parametrize("dtype", [pytest.param(jnp.float32, marks=pytest.mark.science), jnp.bfloat16])
def test_narrow_networks_are_finite(dtype):
    generator = sngan.Generator((8, 8, 1), 16, 2, 1, spectral=True, dtype=dtype)
    params, stats = start(generator, LATENTS, LABEL)
    assert {a.dtype for a in jax.tree.leaves((params, stats))} == {jnp.dtype("float32")}
    images, moved = call(generator, params, stats, LATENTS, LABEL, train=True)
    assert images.dtype == jnp.float32
    assert float(jnp.abs(images).max()) <= 1.0
    assert {a.dtype for a in jax.tree.leaves(moved)} == {jnp.dtype("float32")}
    critic = sngan.Discriminator(16, 2, 1, dtype=dtype)
    params, stats = start(critic, images, LABEL)
    logits, moved = call(critic, params, stats, images, LABEL, train=True)
    assert logits.shape == (4,)
    assert logits.dtype == jnp.float32
    assert np.isfinite(logits).all()
    assert np.isfinite(images).all()


def test_spectral_state_moves_in_training_only():
    critic = sngan.Discriminator(8)
    params, stats = start(critic, IMAGES)
    assert set(stats) == {"spectral"}
    assert len(jax.tree.leaves(stats)) == 2 * (3 + 3 + 2 + 2 + 1)  # u and sigma of every layer
    _, still = call(critic, params, stats, IMAGES, train=False)
    jax.tree.map(np.testing.assert_array_equal, still, stats)
    _, moved = call(critic, params, stats, IMAGES, train=True)
    changed = [not np.array_equal(a["u"], b["u"]) for a, b in zip(units(moved), units(stats), strict=True)]
    assert sum(changed) == 11 - 2  # the first shortcut, from one channel, and the last layer, to one, have rank one


def units(stats):
    return jax.tree.leaves(stats, is_leaf=lambda node: isinstance(node, dict) and "u" in node)


def test_nothing_depends_on_the_layout():
    generator = sngan.Generator((8, 8, 1), 8, 2, 1, spectral=True)
    params, stats = start(generator, LATENTS, LABEL)
    whole, moved = jax.jit(lambda z, y: call(generator, params, stats, z, y, train=True))(LATENTS, LABEL)

    def shard(z, y):
        images, new = call(generator, params, stats, z, y, train=True)
        return images, axis.pmean(new)

    apart, moved_apart = jax.jit(jax.vmap(shard, axis_name="data"))(LATENTS.reshape(2, 2, 6), LABEL.reshape(2, 2))
    np.testing.assert_allclose(apart.reshape(whole.shape), whole, atol=1e-4)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a[1], b, rtol=1e-3, atol=1e-4), moved_apart, moved)


def test_r1_can_be_differentiated():
    """The derivative of R1 along a direction, against a central difference in float64, too short to cross a kink."""
    with jax.enable_x64(True):
        shallow = sngan.PLANS[8]._replace(flat=())
        critic = sngan.Discriminator(8, attention=1, spectral=False, plan=shallow, dtype=jnp.float64)
        images = jnp.asarray(IMAGES, jnp.float64)
        params, stats = start(critic, images)
        params = jax.tree.map(lambda a: jnp.asarray(a, jnp.float64), params)
        params["attention"]["gamma"] = jnp.float64(0.5)

        @jax.jit
        @jax.value_and_grad
        def penalty(step):
            moved = jax.tree.map(lambda a: a + step * jnp.cos(a), params)
            slopes = jax.grad(lambda x: call(critic, moved, stats, x, train=False)[0].sum())(images)
            return jnp.sum(slopes**2)

        ahead, behind = penalty(jnp.float64(1e-5))[0], penalty(jnp.float64(-1e-5))[0]
        np.testing.assert_allclose(penalty(jnp.float64(0.0))[1], (ahead - behind) / 2e-5, rtol=2e-3)


def test_blocks_have_shortcuts_only_where_they_must():
    x = jnp.ones((1, 4, 4, 8))
    assert "shortcut" not in start(DiscriminatorBlock(8, down=False), x)[0]
    assert "shortcut" in start(DiscriminatorBlock(6, down=False), x)[0]
    assert "shortcut" in start(DiscriminatorBlock(8), x)[0]
    params, stats = start(DiscriminatorBlock(8, down=False, spectral=False), x)
    empty = jax.tree.map(jnp.zeros_like, params)
    found, _ = call(DiscriminatorBlock(8, down=False, spectral=False), empty, stats, -x, train=False)
    np.testing.assert_array_equal(found, -x)  # the shortcut carries the input itself, not its ReLU


@pytest.mark.parametrize("up", [nearest_up, None])
def test_the_generators_shortcut_may_come_before_the_interpolation(up):
    block = GeneratorBlock(3, up=up) if up else GeneratorBlock(3)
    x = jax.random.normal(jax.random.key(1), (2, 4, 4, 5))
    params, stats = start(block, x)
    for name in ("conv1", "conv2"):
        params[name] = jax.tree.map(jnp.zeros_like, params[name])
    found, _ = call(block, params, stats, x, train=False)
    expected = block.up(x) @ params["shortcut"]["kernel"] + params["shortcut"]["bias"]
    np.testing.assert_allclose(found, expected, atol=1e-5)
