"""Fully connected networks: published parameter counts, shapes, labels, feature outputs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gen_jax.core.errors import UserError
from gen_jax.nets.layers import BatchNorm, LayerNorm, normal_init
from gen_jax.nets.mlp import Decoder, Discriminator, Encoder, Generator

KEY = jax.random.key(0)


def count(module, *shapes):
    variables = jax.eval_shape(lambda: module.init(KEY, *(jnp.zeros(shape) for shape in shapes), train=False))
    return sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))


def test_pacgan_counts():
    generator = Generator((2,), (400,) * 4, norm=BatchNorm, kernel_init=normal_init())
    assert count(generator, (2, 2)) == 484_802
    for packing in (1, 2, 4):
        discriminator = Discriminator((200,) * 3, maxout_pieces=5, kernel_init=normal_init())
        assert count(discriminator, (2, 2 * packing)) == 405_201 + 2_000 * (packing - 1)


def test_iwae_count():
    assert count(Encoder(50), (2, 28, 28, 1)) + count(Decoder((28, 28, 1)), (2, 50)) == 425_284


@pytest.mark.parametrize("shape", [(2,), (8, 8, 1), (5, 7, 3)], ids=str)
@pytest.mark.parametrize("classes", [None, 4])
@pytest.mark.parametrize("norm", [None, BatchNorm, LayerNorm], ids=["none", "batch", "layer"])
def test_shapes_of_every_network(shape, classes, norm):
    label = () if classes is None else (jnp.asarray([0, 3, 1]),)
    latents, image = jnp.ones((3, 6)), jnp.ones((3, *shape))
    common = {"widths": (10, 12), "norm": norm, "classes": classes}

    def run(module, x, **options):
        variables = module.init(KEY, x, *label, train=False)
        return module.apply(variables, x, *label, train=True, mutable=["batch_stats"], **options)[0]

    fake = run(Generator(shape, **common), latents)
    assert fake.shape == (3, *shape)
    assert run(Discriminator(**common), image).shape == (3,)
    logits, features = run(Discriminator(**common), image, features=True)
    assert logits.shape == (3,)
    assert [f.shape for f in features] == [(3, 10), (3, 12)]
    mean, log_variance = run(Encoder(6, **common), image)
    assert mean.shape == log_variance.shape == (3, 6)
    assert run(Decoder(shape, **common), latents).shape == (3, *shape)
    assert run(Decoder(shape, outputs=4, **common), latents).shape == (3, *shape[:-1], 4)


def test_images_are_bounded_and_points_are_not():
    latents = 100 * jax.random.normal(KEY, (16, 4))
    for shape, bounded in (((4, 4, 1), True), ((2,), False)):
        module = Generator(shape, widths=(8,))
        largest = float(jnp.abs(module.apply(module.init(KEY, latents, train=False), latents, train=False)).max())
        assert (largest <= 1) == bounded


def test_maxout_takes_the_largest_piece():
    module = Discriminator(widths=(1,), maxout_pieces=3)
    x = jnp.asarray([[1.0], [-2.0]])
    variables = {
        "params": {
            "Trunk_0": {"Dense_0": {"kernel": jnp.asarray([[1.0, -1.0, 0.5]]), "bias": jnp.zeros(3)}},
            "Dense_0": {"kernel": jnp.ones((1, 1)), "bias": jnp.zeros(1)},
        }
    }
    np.testing.assert_allclose(module.apply(variables, x, train=False), [1.0, 2.0])


def test_labels_change_the_answer_and_are_asked_for():
    module = Discriminator(widths=(8,), classes=3)
    x = jnp.ones((2, 5))
    variables = module.init(KEY, x, jnp.asarray([0, 1]), train=False)
    first, second = module.apply(variables, x, jnp.asarray([0, 1]), train=False)
    assert float(first) != float(second)
    with pytest.raises(UserError, match="got no label"):
        module.apply(variables, x, train=False)


def test_bfloat16_ends_in_float32():
    for module, x in (
        (Generator((4, 4, 1), (8,), dtype=jnp.bfloat16), jnp.ones((2, 3))),
        (Discriminator((8,), dtype=jnp.bfloat16), jnp.ones((2, 4, 4, 1))),
    ):
        variables = module.init(KEY, x, train=False)
        assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype(jnp.float32)}
        assert module.apply(variables, x, train=False).dtype == jnp.float32
        text = str(jax.make_jaxpr(lambda v, x, m=module: m.apply(v, x, train=False))(variables, x))
        assert "bf16[2,8]" in text  # the hidden layer
