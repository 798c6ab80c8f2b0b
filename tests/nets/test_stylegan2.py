"""StyleGAN2: published parameter counts, modulation by hand, resampling by scipy, the two halves, sizes and errors."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gan_nets import pair, parameters, start
from scipy import signal

from gen_jax.core.errors import UserError
from gen_jax.nets import equalized, stylegan2
from gen_jax.nets.resample import fir_blur

KEY = jax.random.key(0)
LATENTS = jax.random.normal(KEY, (3, 5))
SMALL = stylegan2.Generator((8, 8, 1), (4, 6), style=7, depth=2)


def test_published_parameter_counts():
    """CIFAR-10, ten classes: StudioGAN's logs name 20,215,315 and, with projection, 23,089,664."""
    widths = stylegan2.widths_of(32)
    assert widths == (512,) * 4
    generator = stylegan2.Generator((32, 32, 3), widths, depth=2, classes=10)
    critic = stylegan2.Discriminator(widths, 10, residual=False, group=2)
    assert pair(generator, critic, 512, 32, label=True) == (20_215_315, 23_089_664)


def test_config_f_by_hand():
    widths = stylegan2.widths_of(1024)
    assert widths == (512, 512, 512, 512, 512, 256, 128, 64, 32)
    dense = lambda i, o: i * o + o  # noqa: E731
    styled = lambda i, o: 9 * i * o + o + 1 + dense(512, i)  # noqa: E731
    image = lambda i: 3 * i + 3 + dense(512, i)  # noqa: E731
    steps = list(itertools.pairwise(widths))
    wanted = 8 * dense(512, 512) + 16 * 512 + styled(512, 512) + sum(map(image, widths))
    wanted += sum(styled(i, o) + styled(o, o) for i, o in steps)
    assert parameters(stylegan2.Generator((1024, 1024, 3), widths), (2, 512)) == wanted
    conv = lambda i, o: 9 * i * o + o  # noqa: E731
    wanted = 3 * 32 + 32 + sum(conv(o, o) + conv(o, i) + i * o for i, o in steps)
    wanted += conv(513, 512) + dense(512 * 16, 512) + dense(512, 1)
    assert parameters(stylegan2.Discriminator(widths), (2, 1024, 1024, 3)) == wanted


@pytest.mark.parametrize("demodulate", [True, False])
def test_modulation_is_a_kernel_for_each_example(demodulate):
    """Equations 1 to 3 of the paper, with the kernels made in full."""
    x, style = jax.random.normal(KEY, (2, 5, 5, 3)), jax.random.normal(jax.random.key(1), (2, 4))
    layer = stylegan2.ModulatedConv(6, demodulate=demodulate)
    params, _ = start_plain(layer, x, style)
    found = layer.apply({"params": params}, x, style)
    scale = style @ params["style"]["kernel"] / 2 + params["style"]["bias"]
    for number in range(2):
        kernel = params["kernel"] / 27**0.5 * scale[number][None, None, :, None]
        if demodulate:
            kernel = kernel / jnp.sqrt(jnp.sum(kernel**2, axis=(0, 1, 2)) + 1e-8)
        layout = ("NHWC", "HWIO", "NHWC")
        wanted = jax.lax.conv_general_dilated(x[number : number + 1], kernel, (1, 1), "SAME", dimension_numbers=layout)
        np.testing.assert_allclose(found[number], wanted[0], atol=1e-5)


def start_plain(module, *inputs):
    variables = module.init(KEY, *inputs)
    return variables["params"], {}


def test_enlarging_and_halving_are_scipys_filters():
    """Zeros between pixels, the filter, the kernel, in that order, as the paper has it: equal away from the border."""
    taps = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64
    x = np.asarray(jax.random.normal(KEY, (1, 10, 10, 1)))
    style = jnp.zeros((1, 2))
    layer = stylegan2.ModulatedConv(1, up=True, demodulate=False)
    params, _ = start_plain(layer, jnp.asarray(x), style)
    kernel = np.asarray(params["kernel"])[:, :, 0, 0] / 3
    between = np.zeros((20, 20))
    between[::2, ::2] = x[0, :, :, 0]
    wide = signal.convolve2d(between, 4 * taps)[1:21, 1:21]
    wanted = signal.correlate2d(wide, kernel[::-1, ::-1], mode="same")
    found = layer.apply({"params": params}, x, style)[0, :, :, 0]
    np.testing.assert_allclose(found[4:-4, 4:-4], wanted[4:-4, 4:-4], atol=1e-5)
    halved = equalized.Conv(1, down=True)
    params, _ = start_plain(halved, jnp.asarray(x))
    kernel = np.asarray(params["kernel"])[:, :, 0, 0] / 3
    blurred = signal.convolve2d(np.pad(x[0, :, :, 0], ((2, 1), (2, 1))), taps, mode="valid")
    wanted = signal.correlate2d(np.pad(blurred, ((0, 1), (0, 1))), kernel, mode="valid")[::2, ::2]
    np.testing.assert_allclose(halved.apply({"params": params}, x)[0, :, :, 0], wanted, atol=1e-5)


def test_a_blurred_constant_stays_one():
    np.testing.assert_allclose(fir_blur(jnp.ones((1, 8, 8, 1)), 1, 4.0)[0, 2:-2, 2:-2], 4.0, rtol=1e-6)


def test_layers_keep_the_variance_and_steps_are_as_large_for_all():
    x = jax.random.normal(KEY, (4000, 50))
    for rate in (1.0, 0.01):
        params, _ = start_plain(equalized.Dense(30, rate=rate), x)
        assert float(equalized.Dense(30, rate=rate).apply({"params": params}, x).std()) == pytest.approx(1, rel=0.05)
        assert float(params["kernel"].std()) == pytest.approx(1 / rate, rel=0.05)
    assert float(jnp.square(equalized.activate(x)).mean()) == pytest.approx(1 + 0.04, rel=0.05)


def test_the_two_halves_are_the_whole_and_neighbours_do_not_matter():
    params, _ = start(SMALL, LATENTS)
    params = jax.tree.map(lambda leaf: leaf + 0.1, params)
    whole = SMALL.apply({"params": params}, LATENTS, train=False)
    styles = SMALL.apply({"params": params}, LATENTS, method="styles")
    assert styles.shape == (3, SMALL.layers, 7)
    np.testing.assert_allclose(SMALL.apply({"params": params}, styles, method="synthesis"), whole, atol=1e-5)
    np.testing.assert_allclose(SMALL.apply({"params": params}, LATENTS[1:2], train=False)[0], whole[1], atol=1e-5)


def test_mixing_takes_later_layers_from_a_second_style():
    mixing = stylegan2.Generator((8, 8, 1), (4, 6), style=7, depth=2, mixing=1.0)
    params, _ = start(mixing, LATENTS)
    first = mixing.apply({"params": params}, LATENTS, method="styles")

    def mixed(module, latents):
        return module._mixed(module.styles(latents), latents.shape, None)

    found = mixing.apply({"params": params}, LATENTS, method=mixed, rngs={"dropout": KEY})
    own = jnp.isclose(found, first).all(axis=-1)  # [B, layers]
    assert own[:, 0].all()
    assert not own[:, -1].any()
    assert (own[:, :-1] >= own[:, 1:]).all()


def test_noise_is_an_examples_own_in_training_and_fixed_outside():
    params, _ = start(SMALL, LATENTS)
    params = jax.tree_util.tree_map_with_path(
        lambda path, leaf: jnp.ones_like(leaf) if "noise_strength" in str(path) else leaf, params
    )
    same = jnp.repeat(LATENTS[:1], 2, axis=0)
    one, other = SMALL.apply({"params": params}, same, train=True, rngs={"dropout": KEY})
    assert float(jnp.abs(one - other).max()) > 0.01
    one, other = SMALL.apply({"params": params}, same, train=False)
    np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "widths", "told"),
    [
        ((9, 9, 1), (4, 4), "sizes make square images"),
        ((8, 12, 1), (4, 4), "sizes make square images"),
        ((2,), (4,), "images, not of points"),
        ((8, 8, 1), (), "sizes make square images"),
    ],
)
def test_sizes_that_cannot_be_made(shape, widths, told):
    with pytest.raises(UserError, match=told) as caught:
        jax.eval_shape(lambda: stylegan2.Generator(shape, widths).init(KEY, LATENTS, train=False))
    assert "\n" not in str(caught.value)
