"""Convolutions against `lax`'s own: values and all derivatives, on the CPU's lowering and on the plain one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

from gen_jax.nets import conv_cpu, conv_plain
from gen_jax.nets.conv import conv, conv_transpose, same_padding

# (rows, columns), inputs, outputs, window, stride: both of the CPU's rearrangements, thin sides, odd sizes
SHAPES = [
    ((8, 8), 3, 5, 4, 2),
    ((9, 7), 3, 5, 4, 2),
    ((20, 22), 6, 7, 4, 2),
    ((21, 20), 6, 7, 5, 2),
    ((20, 19), 6, 7, 5, 3),
    ((8, 8), 6, 3, 3, 1),
    ((8, 9), 3, 6, 3, 1),
    ((6, 6), 8, 8, 1, 2),
]
NAMES = [f"{r}x{c}-{i}to{o}-k{k}s{s}" for (r, c), i, o, k, s in SHAPES]


def reference(x, kernel, stride):
    return lax.conv_general_dilated(x, kernel, (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def reference_transpose(x, kernel, stride):
    strides = (stride, stride)
    layout = ("NHWC", "HWIO", "NHWC")
    return lax.conv_transpose(x, kernel, strides, "SAME", dimension_numbers=layout, transpose_kernel=True)


def arrays(shape, transposed, dtype=np.float32):
    size, inputs, outputs, window, stride = shape
    rng = np.random.default_rng(0)
    channels = (outputs, inputs) if transposed else (inputs, outputs)
    x = rng.normal(size=(2, *size, inputs)).astype(dtype)
    kernel = rng.normal(size=(window, window, *channels)).astype(dtype) / window
    return jnp.asarray(x), jnp.asarray(kernel), stride


def close(ours, theirs, tolerance=1e-5):
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * float(jnp.abs(b).max()))


def pair(transposed):
    return (conv_transpose, reference_transpose) if transposed else (conv, reference)


@pytest.mark.parametrize("transposed", [False, True], ids=["conv", "transpose"])
@pytest.mark.parametrize("shape", SHAPES, ids=NAMES)
def test_values_gradients_and_gradients_of_gradients(shape, transposed):
    x, kernel, stride = arrays(shape, transposed)

    def everything(operation):
        def wave(x, kernel):
            return jnp.sum(jnp.sin(operation(x, kernel, stride)))

        def penalty(x, kernel):
            by_input, by_kernel = jax.grad(wave, (0, 1))(x, kernel)
            return jnp.sum(by_input**2) + jnp.sum(by_kernel**2)

        def run(x, kernel):
            return (
                operation(x, kernel, stride),
                jax.grad(wave, (0, 1))(x, kernel),
                jax.grad(penalty, (0, 1))(x, kernel),
                jax.jvp(wave, (x, kernel), (jnp.cos(x), jnp.cos(kernel))),
            )

        return jax.jit(run)(x, kernel)

    ours, theirs = pair(transposed)
    close(everything(ours), everything(theirs))


@pytest.mark.parametrize("transposed", [False, True], ids=["conv", "transpose"])
@pytest.mark.parametrize("axes", [(0, None), (None, 0), (0, 0), (1, 3)], ids=str)
def test_vmap_of_values_and_gradients_in_either_order(axes, transposed):
    x, kernel, stride = arrays(((6, 6), 3, 5, 4, 2), transposed)
    xs = jnp.stack([x, x + 1, -x], axes[0]) if axes[0] is not None else x
    kernels = jnp.stack([kernel, kernel * 2, kernel + 1], axes[1]) if axes[1] is not None else kernel

    def both(operation):
        def loss(x, kernel):
            return jnp.sum(jnp.sin(operation(x, kernel, stride)))

        def total(xs, kernels):
            return jnp.sum(jax.vmap(loss, axes)(xs, kernels) ** 2)

        members = jax.vmap(jax.value_and_grad(loss, (0, 1)), axes)
        return jax.jit(lambda a, b: (members(a, b), jax.grad(total, (0, 1))(a, b)))(xs, kernels)

    ours, theirs = pair(transposed)
    close(both(ours), both(theirs))


def test_forward_over_reverse_and_outside_jit():
    x, kernel, _ = arrays(((4, 4), 2, 2, 3, 1), False)
    hessian = jax.hessian(lambda k: jnp.sum(conv(x, k) ** 3))(kernel)
    close(hessian, jax.hessian(lambda k: jnp.sum(reference(x, k, 1) ** 3))(kernel))


@pytest.mark.parametrize("transposed", [False, True], ids=["conv", "transpose"])
@pytest.mark.parametrize("checked", [False, True])
def test_inside_shard_map_and_pmap(checked, transposed):
    x, kernel, stride = arrays(((6, 6), 3, 5, 4, 2), transposed)
    x = jnp.concatenate([x, x + 1, -x, x * 2])  # 8 rows on 4 devices

    def gradient(operation):
        return lambda x, kernel: jax.grad(lambda k: jnp.sum(jnp.sin(operation(x, k, stride))))(kernel)

    ours, theirs = pair(transposed)
    mesh = jax.make_mesh((4,), ("data",), axis_types=(AxisType.Auto,))

    def local(x, kernel):
        found = gradient(ours)(x, kernel)
        return found if checked else lax.psum(found, "data")  # with check_vma=True the sum is already taken

    sharded = jax.shard_map(local, mesh=mesh, in_specs=(P("data"), P()), out_specs=P(), check_vma=checked)
    close(jax.jit(sharded)(x, kernel), jax.jit(gradient(theirs))(x, kernel))
    mapped = jax.pmap(lambda x, k: lax.psum(gradient(ours)(x, k), "data"), "data", in_axes=(0, None), out_axes=None)
    close(mapped(x.reshape(4, 2, *x.shape[1:]), kernel), jax.jit(gradient(theirs))(x, kernel))


@pytest.mark.parametrize("transposed", [False, True], ids=["conv", "transpose"])
def test_bfloat16_in_bfloat16_out(transposed):
    for shape in (SHAPES[0], SHAPES[2], SHAPES[5]):
        x, kernel, stride = arrays(shape, transposed)
        ours, _ = pair(transposed)

        def run(x, kernel, ours=ours, stride=stride):
            return jax.value_and_grad(lambda k: jnp.sum(ours(x, k, stride).astype(jnp.float32) ** 2))(kernel)

        half = run(x.astype(jnp.bfloat16), kernel.astype(jnp.bfloat16))
        assert half[1].dtype == jnp.bfloat16
        close(jax.tree.map(jnp.float32, half), run(x, kernel), tolerance=0.03)


def _lowered(function, *arguments, platform):
    return jax.jit(function).trace(*arguments).lower(lowering_platforms=(platform,)).as_text()


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_accelerators_get_the_plain_operation(platform):
    x, kernel, stride = arrays(SHAPES[2], True)
    gradients = jax.grad(lambda x, k: jnp.sum(jnp.sin(conv_transpose(x, k, stride))), (0, 1))
    text = _lowered(gradients, x, kernel, platform=platform)
    assert text.count("stablehlo.convolution") == 3  # forward, to the input, to the kernel; nothing rearranged
    assert "lhs_dilate = [2, 2]" in text
    assert "stablehlo.dot_general" not in text
    assert "stablehlo.transpose" not in text


def test_the_cpu_gets_phases_in_place_of_dilation():
    x, kernel, stride = arrays(SHAPES[2], True)
    text = _lowered(lambda x, k: conv_transpose(x, k, stride), x, kernel, platform="cpu")
    assert "stablehlo.convolution" in text
    assert "lhs_dilate = [2, 2]" not in text


@pytest.mark.parametrize("size", [(20, 20), (9, 9)], ids=str)
def test_plain_and_cpu_lowering_agree_in_every_face(size):
    x, kernel, stride = arrays((size, 6, 7, 4, 2), False)
    padding = tuple(same_padding(n, 4, stride) for n in size)
    g = jnp.cos(conv(x, kernel, stride))
    common = {"stride": stride, "padding": padding}
    for name, plain, arguments, more in (
        ("conv", conv_plain.plain_conv, (x, kernel), {}),
        ("input_grad", conv_plain.plain_input_grad, (g, kernel), {"size": size}),
        ("weight_grad", conv_plain.plain_weight_grad, (x, g), {"window": (4, 4)}),
    ):
        close(getattr(conv_cpu, name)(*arguments, **common, **more), plain(*arguments, **common, **more))


def test_same_padding_by_hand():
    assert same_padding(8, 4, 2) == (1, 1)  # PyTorch's k4 s2 p1
    assert same_padding(7, 4, 2) == (1, 2)
    assert same_padding(8, 3, 2) == (0, 1)
    assert same_padding(5, 1, 2) == (0, 0)


def test_mixed_types_are_refused():
    with pytest.raises(TypeError, match="one dtype"):
        conv(jnp.zeros((1, 4, 4, 1)), jnp.zeros((3, 3, 1, 1), jnp.bfloat16))
