"""The three faces of a convolution on an NVIDIA GPU: the plain ones, in shapes that cuDNN takes as they are.

Its tensor-core programs for 16-bit numbers want channels by the eight: pictures of 1 or 3 are padded by a launch and a
memset a face, again in every call. Here zeros are added before, where XLA fuses them with what made the picture, and
what they give rise to is cut off. And on maps that are no larger than the kernel XLA takes the filter's gradient for a
convolution with a dilated kernel, whose result lies the other way round from the filter: it is a product over taps.
"""

import jax
import jax.numpy as jnp
from jax import lax

from gen_jax.nets.conv_plain import Padding, plain_conv, plain_input_grad, plain_weight_grad

CHANNELS = 8  # that a 16-bit program takes at once


def conv(x: jax.Array, kernel: jax.Array, *, stride: int, padding: Padding) -> jax.Array:
    """As `plain_conv`."""
    y = plain_conv(_filled(x, 3), _filled(kernel, 2, 3), stride=stride, padding=padding)
    return y[..., : kernel.shape[3]]


def input_grad(g: jax.Array, kernel: jax.Array, *, stride: int, padding: Padding, size: tuple[int, int]) -> jax.Array:
    """As `plain_input_grad`."""
    x = plain_input_grad(_filled(g, 3), _filled(kernel, 2, 3), stride=stride, padding=padding, size=size)
    return x[..., : kernel.shape[2]]


def weight_grad(x: jax.Array, g: jax.Array, *, stride: int, padding: Padding, window: tuple[int, int]) -> jax.Array:
    """As `plain_weight_grad`."""
    if g.shape[1] <= window[0] and g.shape[2] <= window[1] and min(x.shape[3], g.shape[3]) >= CHANNELS:
        return by_taps(x, g, stride=stride, padding=padding, window=window)
    kernel = plain_weight_grad(_filled(x, 3), _filled(g, 3), stride=stride, padding=padding, window=window)
    return kernel[..., : x.shape[3], : g.shape[3]]


def by_taps(x: jax.Array, g: jax.Array, *, stride: int, padding: Padding, window: tuple[int, int]) -> jax.Array:
    """The gradient to the kernel as one product: what each tap saw [B·h·w, kh·kw·I] with g [B·h·w, O]."""
    (top, bottom), (left, right) = padding
    x = jnp.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
    rows, columns = (stride * (n - 1) + 1 for n in g.shape[1:3])
    taps = [
        lax.slice(x, (0, i, j, 0), (x.shape[0], i + rows, j + columns, x.shape[3]), (1, stride, stride, 1))
        for i in range(window[0])
        for j in range(window[1])
    ]
    seen = jnp.stack(taps, axis=3).reshape(-1, len(taps) * x.shape[3])
    return (seen.T @ g.reshape(-1, g.shape[3])).reshape(*window, x.shape[3], g.shape[3])


def _filled(array: jax.Array, *axes: int) -> jax.Array:
    """The array with zeros up to `CHANNELS` along these axes, where its numbers have 16 bits."""
    if array.dtype.itemsize != 2:
        return array
    missing = [(0, max(0, CHANNELS - size) if axis in axes else 0) for axis, size in enumerate(array.shape)]
    return jnp.pad(array, missing) if any(after for _, after in missing) else array
