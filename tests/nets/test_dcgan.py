"""The DCGAN family: PyTorch's parameter counts, every size, labels, features, and errors that say what would work."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gen_jax.core.errors import UserError
from gen_jax.nets import inpaint, mlp
from gen_jax.nets.dcgan import Decoder, Discriminator, Encoder, Generator, stages
from gen_jax.nets.layers import LayerNorm

KEY = jax.random.key(0)


def variables(module, *inputs):
    return jax.eval_shape(lambda *given: module.init(KEY, *given, train=False), *inputs)


def shapes(module, *inputs, **options):
    """Shapes of a training call's results, without computing them."""

    def call(*given):
        state = module.init(KEY, *given, train=False)
        return module.apply(state, *given, train=True, mutable=["batch_stats", "spectral"], **options)[0]

    return jax.tree.map(lambda leaf: leaf.shape, jax.eval_shape(call, *inputs))


def count(module, *inputs):
    return sum(leaf.size for leaf in jax.tree.leaves(variables(module, *inputs)["params"]))


def zeros(*shape, dtype=jnp.float32):
    return jax.ShapeDtypeStruct(shape, dtype)


def test_counts_are_those_of_pytorchs_example():
    assert count(Generator((64, 64, 3)), zeros(2, 100)) == 3_576_704
    assert count(Discriminator(), zeros(2, 64, 64, 3)) == 2_765_568


def test_initial_distributions():
    state = Discriminator(width=32).init(KEY, jnp.zeros((2, 32, 32, 3)), train=False)["params"]["Downsample_0"]
    assert float(state["Conv_1"]["kernel"].std()) == pytest.approx(0.02, rel=0.05)
    scale = state["BatchNorm_1"]["scale"]
    assert float(scale.mean()) == pytest.approx(1.0, abs=0.01)
    assert float(scale.std()) == pytest.approx(0.02, rel=0.3)
    assert "bias" not in state["Conv_1"]


COMMON = {*range(8, 34), 48, 63, 64, 65, 96, 127, 128}  # every rest of a halving; all others with the science marker


@pytest.mark.parametrize(
    "size", [size if size in COMMON else pytest.param(size, marks=pytest.mark.science) for size in range(8, 129)]
)
def test_every_size(size):
    channels = 1 + 2 * (size % 2)
    depth, base = stages(size)
    assert 4 <= base <= 7
    image, latents = zeros(2, size, size, channels), zeros(2, 5)
    assert shapes(Generator((size, size, channels), width=2), latents) == image.shape
    assert shapes(Decoder((size, size, channels), outputs=2 * channels, width=2), latents) == (
        2,
        size,
        size,
        2 * channels,
    )
    logits, features = shapes(Discriminator(width=2), image, features=True)
    assert logits == (2,)
    assert len(features) == depth
    assert features[-1] == (2, base, base, 2 * 2 ** (depth - 1))
    assert shapes(Encoder(5, width=2), image) == ((2, 5), (2, 5))


@pytest.mark.parametrize(("size", "expected"), [(8, (1, 4)), (28, (2, 7)), (32, (3, 4)), (64, (4, 4)), (128, (5, 4))])
def test_stages_of_the_usual_sizes(size, expected):
    assert stages(size) == expected


def test_depth_may_be_chosen():
    assert stages(32, 2) == (2, 8)
    assert stages(28, 4) == (4, 2)
    assert shapes(Generator((28, 28, 1), width=2, depth=4), zeros(2, 5)) == (2, 28, 28, 1)
    assert shapes(Discriminator(width=2, depth=4), zeros(2, 28, 28, 1)) == (2,)
    for size, depth, most in ((28, 5, 4), (8, 3, 2), (64, 0, 5), (33, 6, 5)):
        with pytest.raises(UserError, match=f"a depth of 1 to {most} would"):
            stages(size, depth)
        assert stages(size, most)[1] >= 2


@pytest.mark.parametrize(
    ("module", "given", "message"),
    [
        (Generator((28, 32, 1)), (2, 5), "square images"),
        (Generator((4, 4, 1)), (2, 5), "8 to 128 pixels, not 4"),
        (Decoder((256, 256, 3)), (2, 5), "8 to 128 pixels, not 256"),
        (Generator((32, 32, 2)), (2, 5), "1 or 3 channels, not 2"),
        (Generator((2,)), (2, 5), "images, not of points"),  # pyright: ignore
        (Discriminator(), (2, 28, 32, 1), "square images"),
        (Discriminator(), (2, 2), "for points there are"),
        (Encoder(5), (2, 32, 32, 4), "1 or 3 channels, not 4"),
    ],
)
def test_what_cannot_be_made_is_refused_in_one_line(module, given, message):
    with pytest.raises(UserError, match=message) as caught:
        variables(module, zeros(*given))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("classes", [None, 3])
def test_labels(classes):
    label = () if classes is None else (zeros(2, dtype=jnp.int32),)
    image, latents = zeros(2, 12, 12, 1), zeros(2, 5)
    assert shapes(Generator((12, 12, 1), width=2, classes=classes), latents, *label) == (2, 12, 12, 1)
    assert shapes(Decoder((12, 12, 1), width=2, classes=classes), latents, *label) == (2, 12, 12, 1)
    assert shapes(Discriminator(width=2, classes=classes), image, *label) == (2,)
    assert shapes(Encoder(5, width=2, classes=classes), image, *label) == ((2, 5), (2, 5))
    kernel = variables(Discriminator(width=2, classes=classes), image, *label)["params"]["Downsample_0"]["Conv_0"]
    assert kernel["kernel"].shape == (4, 4, 1 + (classes or 0), 2)


def test_options_of_the_discriminator():
    image = zeros(2, 16, 16, 4)  # two grey pairs packed: any number of channels
    plain = variables(Discriminator(width=2, norm=None), image)
    assert list(plain) == ["params"]
    assert "bias" in plain["params"]["Downsample_0"]["Conv_1"]
    layered = variables(Discriminator(width=2, norm=LayerNorm), image)
    assert "LayerNorm_0" in layered["params"]["Downsample_0"]
    assert set(variables(Discriminator(width=2, norm=None, spectral=True), image)) == {"params", "spectral"}
    module, x = Discriminator(width=2, dropout=0.5), jnp.ones((2, 8, 8, 1))
    state = module.init(KEY, x, train=False)

    def call(seed):
        return module.apply(state, x, train=True, mutable=["batch_stats"], rngs={"dropout": jax.random.key(seed)})[0]

    assert not np.array_equal(call(0), call(1))


def test_generator_ends_in_tanh_and_a_decoder_only_where_it_is_bounded():
    latents, seen = 1e4 * jax.random.normal(KEY, (4, 5)), jnp.ones((4, 8, 8, 1))
    for module, given, bounded in (
        (Generator((9, 9, 1), width=4), (), True),
        (Decoder((9, 9, 1), width=4), (), False),
        (Decoder((9, 9, 1), width=4, bounded=True), (), True),
        (mlp.Decoder((9, 9, 1), activation=jax.nn.relu), (), False),
        (mlp.Decoder((9, 9, 1), activation=jax.nn.relu, bounded=True), (), True),
        (inpaint.Decoder(1, width=4), (seen,), False),
        (inpaint.Decoder(1, width=4, bounded=True), (seen,), True),
    ):
        images = module.apply(module.init(KEY, latents, *given, train=False), latents, *given, train=False)
        assert (float(jnp.abs(images).max()) <= 1) == bounded


def test_generator_equals_the_textbook_network():
    """Against `flax.linen`'s own layers with the same weights, in training mode."""
    from flax import linen as nn

    latents = jax.random.normal(KEY, (4, 5))
    module = Generator((16, 16, 3), width=4)
    state = module.init(KEY, latents, train=False)
    parameters = state["params"]["Upsample_0"]

    def norm(x, scale_and_bias):
        layer = nn.BatchNorm(use_running_average=False, epsilon=1e-5)
        empty = {"mean": jnp.zeros(x.shape[-1]), "var": jnp.ones(x.shape[-1])}
        return layer.apply({"params": scale_and_bias, "batch_stats": empty}, x, mutable=["batch_stats"])[0]

    def up(x, kernel):
        layer = nn.ConvTranspose(kernel.shape[2], (4, 4), (2, 2), use_bias=False, transpose_kernel=True)
        return layer.apply({"params": {"kernel": kernel}}, x)

    x = (latents @ parameters["Dense_0"]["kernel"]).reshape(4, 4, 4, 8)
    x = up(nn.relu(norm(x, parameters["BatchNorm_0"])), parameters["ConvTranspose_0"]["kernel"])
    x = up(nn.relu(norm(x, parameters["BatchNorm_1"])), parameters["ConvTranspose_1"]["kernel"])
    ours = module.apply(state, latents, train=True, mutable=["batch_stats"])[0]
    np.testing.assert_allclose(ours, jnp.tanh(x), atol=1e-5)


def test_bfloat16_ends_in_float32():
    for module, x in (
        (Generator((8, 8, 1), width=4, dtype=jnp.bfloat16), zeros(2, 5)),
        (Discriminator(width=4, dtype=jnp.bfloat16), zeros(2, 8, 8, 1)),
    ):
        state = variables(module, x)
        assert {leaf.dtype for leaf in jax.tree.leaves(state)} == {jnp.dtype(jnp.float32)}
        out = jax.eval_shape(lambda v, x, m=module: m.apply(v, x, train=False), state, x)
        assert out.dtype == jnp.float32
        assert "bf16[2,4,4,4]" in str(jax.make_jaxpr(lambda v, x, m=module: m.apply(v, x, train=False))(state, x))


def test_what_is_too_large_is_cut_evenly():
    latents = jax.random.normal(KEY, (2, 5))
    large, small = Generator((32, 32, 1), width=2), Generator((29, 29, 1), width=2)
    state = large.init(KEY, latents, train=False)
    whole = large.apply(state, latents, train=False)
    np.testing.assert_allclose(small.apply(state, latents, train=False), whole[:, 1:30, 1:30], atol=1e-6)
