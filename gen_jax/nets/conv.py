"""Strided and transposed two-dimensional convolution that are fast on every platform, at any order of differentiation.

XLA's CPU back end is tens of times slower than a matrix product on the convolutions a DCGAN is made of: above all on
the weight gradient of a transposed convolution. The way out is that a convolution, its gradient to the input and its
gradient to the kernel are three faces of one trilinear form, <g, conv(x, k)>:

    conv(x, k) -> y      input_grad(g, k) -> x      weight_grad(x, g) -> k

Each is bilinear, and the transpose of each is one of the other two. They are JAX primitives here, with that fact as
their differentiation rule, so every derivative of any order, forward or reverse (WGAN-GP, R1, Hessian products), is
again one of the three, and each has one lowering for CPU (`conv_cpu`), one for NVIDIA's GPUs (`conv_gpu`) and the plain
XLA convolution everywhere else.
A transposed convolution *is* `input_grad`, so its weight gradient is `weight_grad`: the slow program never arises.

Layout is NHWC and HWIO. The kernel of a transposed convolution is that of the convolution it transposes,
[kh, kw, out, in] (`lax.conv_transpose(..., transpose_kernel=True)`), so PyTorch's weights of `Conv2d` and of
`ConvTranspose2d` load through the same `permute(2, 3, 1, 0)`.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from gen_jax.core import portable
from gen_jax.nets import conv_cpu, conv_gpu
from gen_jax.nets.conv_plain import Padding, plain_conv, plain_input_grad, plain_weight_grad


def conv(x: jax.Array, kernel: jax.Array, stride: int = 1) -> jax.Array:
    """Convolution with "SAME" padding: x [B, H, W, in], kernel [kh, kw, in, out] -> [B, ceil(H/s), ceil(W/s), out].

    "SAME" with a 4×4 kernel, stride 2 and an even size is PyTorch's `padding=1`. x and kernel share one dtype.
    """
    padding = tuple(
        same_padding(size, window, stride) for size, window in zip(x.shape[1:3], kernel.shape, strict=False)
    )
    if portable.wanted():
        return plain_conv(x, kernel, stride=stride, padding=padding)
    return _conv_p.bind(*_vary_alike(x, kernel), stride=stride, padding=padding)


def conv_transpose(x: jax.Array, kernel: jax.Array, stride: int = 2) -> jax.Array:
    """Transposed convolution, "SAME": x [B, H, W, in], kernel [kh, kw, out, in] -> [B, sH, sW, out].

    The gradient to the input of `conv` with this kernel and stride on an image of sH × sW: a 4×4 kernel with stride 2
    is PyTorch's `ConvTranspose2d(..., 4, 2, padding=1)`.
    """
    size = (stride * x.shape[1], stride * x.shape[2])
    padding = tuple(same_padding(full, window, stride) for full, window in zip(size, kernel.shape, strict=False))
    if portable.wanted():
        return plain_input_grad(x, kernel, stride=stride, padding=padding, size=size)
    return _input_grad_p.bind(*_vary_alike(x, kernel), stride=stride, padding=padding, size=size)


def same_padding(size: int, window: int, stride: int) -> tuple[int, int]:
    """(before, after): the zeros that make the output ceil(size/stride) long, the odd one behind, as "SAME" does."""
    total = max((-(-size // stride) - 1) * stride + window - size, 0)
    return total // 2, total - total // 2


# --- the three primitives ---------------------------------------------------------------------------------------------


Face = Callable[..., jax.Array]


def _primitive(name: str, plain: Face, cpu: Face, cuda: Face) -> Primitive:
    """A primitive of two arguments: shapes and most platforms' code from `plain`, two platforms' from their own."""
    primitive = Primitive(name)

    @cache
    def compiled(parameters: tuple[tuple[str, Any], ...]) -> Callable[..., jax.Array]:
        return jax.jit(lambda a, b: primitive.bind(a, b, **dict(parameters)))

    primitive.def_impl(lambda a, b, **parameters: compiled(tuple(sorted(parameters.items())))(a, b))

    def abstract(a, b, **parameters):
        shape = jax.eval_shape(
            partial(plain, **parameters),
            jax.ShapeDtypeStruct(a.shape, a.dtype),
            jax.ShapeDtypeStruct(b.shape, b.dtype),
        )
        return a.update(shape=shape.shape, dtype=shape.dtype, weak_type=False)  # keeps the axes it varies over

    primitive.def_abstract_eval(abstract)
    mlir.register_lowering(primitive, mlir.lower_fun(plain, multiple_results=False))
    mlir.register_lowering(primitive, mlir.lower_fun(cpu, multiple_results=False), platform="cpu")
    mlir.register_lowering(primitive, mlir.lower_fun(cuda, multiple_results=False), platform="cuda")
    return primitive


_conv_p = _primitive("gen_jax_conv", plain_conv, conv_cpu.conv, conv_gpu.conv)
_input_grad_p = _primitive("gen_jax_conv_input_grad", plain_input_grad, conv_cpu.input_grad, conv_gpu.input_grad)
_weight_grad_p = _primitive("gen_jax_conv_weight_grad", plain_weight_grad, conv_cpu.weight_grad, conv_gpu.weight_grad)


# --- derivatives: the transpose of each face is another face ----------------------------------------------------------


def _conv_to_input(y, x, kernel, *, stride: int, padding: Padding):
    return _input_grad_p.bind(y, kernel, stride=stride, padding=padding, size=x.aval.shape[1:3])


def _conv_to_kernel(y, x, kernel, *, stride: int, padding: Padding):
    return _weight_grad_p.bind(x, y, stride=stride, padding=padding, window=kernel.aval.shape[:2])


def _input_grad_to_output(x, g, kernel, *, stride: int, padding: Padding, size):
    return _conv_p.bind(x, kernel, stride=stride, padding=padding)


def _input_grad_to_kernel(x, g, kernel, *, stride: int, padding: Padding, size):
    return _weight_grad_p.bind(x, g, stride=stride, padding=padding, window=kernel.aval.shape[:2])


def _weight_grad_to_input(kernel, x, g, *, stride: int, padding: Padding, window):
    return _input_grad_p.bind(g, kernel, stride=stride, padding=padding, size=x.aval.shape[1:3])


def _weight_grad_to_output(kernel, x, g, *, stride: int, padding: Padding, window):
    return _conv_p.bind(x, kernel, stride=stride, padding=padding)


ad.defbilinear(_conv_p, _conv_to_input, _conv_to_kernel)
ad.defbilinear(_input_grad_p, _input_grad_to_output, _input_grad_to_kernel)
ad.defbilinear(_weight_grad_p, _weight_grad_to_input, _weight_grad_to_output)


# --- vmap -------------------------------------------------------------------------------------------------------------


def _batched(primitive: Primitive, plain: Callable[..., jax.Array], arguments, axes, **parameters):
    """A kernel for every member (seeds): one after another on CPU, where grouped convolutions crawl; else grouped."""

    def in_turn(*arguments):
        mapped = tuple(a for a, axis in zip(arguments, axes, strict=True) if axis is not None)

        def one(members):
            rest = iter(members)
            return primitive.bind(
                *(next(rest) if i is not None else a for a, i in zip(arguments, axes, strict=True)), **parameters
            )

        return lax.map(
            one, tuple(jnp.moveaxis(a, i, 0) for a, i in zip(mapped, [i for i in axes if i is not None], strict=True))
        )

    # A member of one image is a gradient an example (private training): a product each, where a grouped convolution
    # would have a group an example.
    single = primitive is _weight_grad_p and None not in axes and arguments[0].shape[1 if axes[0] == 0 else 0] == 1
    together = jax.vmap(partial(conv_gpu.by_taps if single else plain, **parameters), in_axes=axes)
    return lax.platform_dependent(*arguments, cpu=in_turn, default=together), 0


def _fold_or_batch(primitive: Primitive, plain: Callable[..., jax.Array], arguments, axes, **parameters):
    """Of `conv` and `input_grad`: members that share the kernel are just more images of one batch."""
    images, kernel = arguments
    if axes[1] is not None:
        return _batched(primitive, plain, arguments, axes, **parameters)
    images = jnp.moveaxis(images, axes[0], 0)
    members, count = images.shape[:2]
    out = primitive.bind(images.reshape(members * count, *images.shape[2:]), kernel, **parameters)
    return out.reshape(members, count, *out.shape[1:]), 0


batching.primitive_batchers[_conv_p] = partial(_fold_or_batch, _conv_p, plain_conv)
batching.primitive_batchers[_input_grad_p] = partial(_fold_or_batch, _input_grad_p, plain_input_grad)
batching.primitive_batchers[_weight_grad_p] = partial(_batched, _weight_grad_p, plain_weight_grad)


def _vary_alike(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Under `shard_map(check_vma=True)`: marks both as varying over the same mesh axes, as XLA's own operations do."""
    if x.ndim != 4 or kernel.ndim != 4 or x.dtype != kernel.dtype:
        raise TypeError(
            f"x [B, H, W, C] and a kernel of four axes, of one dtype, not {jax.typeof(x)}, {jax.typeof(kernel)}"
        )
    varying = [jax.typeof(a).manual_axis_type.varying for a in (x, kernel)]
    every = varying[0] | varying[1]
    x, kernel = (
        lax.pcast(a, tuple(every - own), to="varying") if every - own else a
        for a, own in zip((x, kernel), varying, strict=True)
    )
    return x, kernel
