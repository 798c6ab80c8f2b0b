"""BigGAN: published parameter counts of both forms, how latents are shared out, finite narrow networks, errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gan_nets import call, pair, start

from gen_jax.core.errors import UserError
from gen_jax.nets import biggan
from gen_jax.nets.resnet import NORMAL, ORTHOGONAL

LABEL = jnp.array([0, 1, 1, 0], jnp.int32)


def test_published_parameter_counts():
    shape = (32, 32, 3)
    assert pair(*biggan.plain(shape, 10), 128, 32, label=True) == (4_304_387, 4_207_361)
    small = biggan.hierarchical(shape, 10)
    assert pair(*small, 80, 32, label=True) == (9_416_196, 2_415_170)
    large = biggan.hierarchical((128, 128, 3), 1000, 1536, 1536, attention=(4, 1))
    assert pair(*large, 120, 128, label=True) == (70_433_988, 87_982_370)  # the first is what the paper's code prints


def test_sixty_four_pixels_end_on_a_block_that_keeps_the_size():
    plan = biggan.bigger_plan((64, 64, 3))
    assert (len(plan.downs), len(plan.flat)) == (4, 1)
    assert len(biggan.bigger_plan((32, 32, 3)).flat) == 2


@pytest.mark.parametrize(
    ("form", "dtype"),
    [
        ("plain", jnp.float32),
        pytest.param("hierarchical", jnp.bfloat16, marks=pytest.mark.science),
        pytest.param("plain", jnp.bfloat16, marks=pytest.mark.science),
        pytest.param("hierarchical", jnp.float32, marks=pytest.mark.science),
    ],
)
def test_narrow_networks_are_finite(form, dtype):
    if form == "plain":
        generator, critic = biggan.plain((8, 8, 1), 2, 8, dtype=dtype)
    else:
        generator, critic = biggan.hierarchical((8, 8, 1), 2, 16, 8, 4, (1, 1), dtype=dtype)
    latents = jax.random.normal(jax.random.key(0), (4, 6))
    params, stats = start(generator, latents, LABEL)
    images, _ = jax.jit(lambda z: call(generator, params, stats, z, LABEL, train=True))(latents)
    assert images.shape == (4, 8, 8, 1)
    assert float(jnp.abs(images).max()) <= 1.0
    params, stats = start(critic, images, LABEL)
    logits, _ = jax.jit(lambda x: call(critic, params, stats, x, LABEL, train=True))(images)
    assert logits.shape == (4,)
    assert logits.dtype == images.dtype == jnp.float32
    assert np.isfinite(logits).all()


def test_each_block_gets_its_chunk():
    """Latents of two chunks on a network of one block: the first makes the map, the second moves gains and biases."""
    generator = biggan.Generator((8, 8, 1), 2, 8, shared=4, hierarchical=True)
    latents = jax.random.normal(jax.random.key(0), (4, 6))
    params, stats = start(generator, latents, LABEL)
    assert params["linear"]["kernel"].shape == (3, 4 * 4 * 8)
    assert params["block1"]["norm1"]["gain"]["kernel"].shape == (4 + 3, 8)
    draw = jax.jit(lambda p, z, y: call(generator, p, stats, z, y, train=False)[0])
    deaf = {**params, "linear": jax.tree.map(jnp.zeros_like, params["linear"])}
    first, second = latents.at[:, :3].add(1.0), latents.at[:, 3:].add(1.0)
    np.testing.assert_array_equal(draw(deaf, first, LABEL), draw(deaf, latents, LABEL))
    assert float(jnp.abs(draw(deaf, second, LABEL) - draw(deaf, latents, LABEL)).max()) > 1e-3
    assert float(jnp.abs(draw(params, latents, 1 - LABEL) - draw(params, latents, LABEL)).max()) > 1e-3


def test_starts():
    matrix = np.asarray(ORTHOGONAL.residual(jax.random.key(0), (3, 3, 4, 8))).reshape(-1, 8)
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(8), atol=1e-5)
    assert 0.019 < float(NORMAL.residual(jax.random.key(0), (3, 3, 32, 32)).std()) < 0.021


@pytest.mark.parametrize(
    ("options", "latents", "message"),
    [
        ({"shared": 4, "hierarchical": True}, 7, "2 equal chunks"),
        ({"hierarchical": True}, 6, "shared=128"),
        ({"shape": (20, 20, 1)}, 6, "--image-size"),
        ({"attention": 3}, 6, "choose 1 to 1"),
    ],
)
def test_what_cannot_be_is_said(options, latents, message):
    generator = biggan.Generator(**{"shape": (8, 8, 1), "classes": 2, "width": 8, **options})
    with pytest.raises(UserError, match=message):
        jax.eval_shape(lambda: generator.init(jax.random.key(0), jnp.ones((4, latents)), LABEL, train=True))
