"""The three faces of a convolution as XLA writes them: what every platform but CPU runs."""

from typing import TypeAlias

import jax
import jax.numpy as jnp
from jax import lax

Padding: TypeAlias = tuple[tuple[int, int], ...]  # zeros (before, after) the rows, then the columns
LAYOUT = ("NHWC", "HWIO", "NHWC")


def plain_conv(x: jax.Array, kernel: jax.Array, *, stride: int, padding: Padding) -> jax.Array:
    """x [B, H, W, I], kernel [kh, kw, I, O] -> y [B, h, w, O]."""
    return lax.conv_general_dilated(x, kernel, (stride, stride), padding, dimension_numbers=LAYOUT)


def plain_input_grad(
    g: jax.Array, kernel: jax.Array, *, stride: int, padding: Padding, size: tuple[int, int]
) -> jax.Array:
    """g [B, h, w, O], kernel [kh, kw, I, O] -> the gradient to the input of `size`, [B, H, W, I]."""
    x = jax.ShapeDtypeStruct((g.shape[0], *size, kernel.shape[2]), g.dtype)
    (gradient,) = jax.linear_transpose(lambda x: plain_conv(x, kernel, stride=stride, padding=padding), x)(g)
    return gradient


def plain_weight_grad(
    x: jax.Array, g: jax.Array, *, stride: int, padding: Padding, window: tuple[int, int]
) -> jax.Array:
    """x [B, H, W, I], g [B, h, w, O] -> the gradient to the kernel of size `window`, [kh, kw, I, O]."""
    kernel = jax.ShapeDtypeStruct((*window, x.shape[3], g.shape[3]), jnp.result_type(x))
    (gradient,) = jax.linear_transpose(lambda k: plain_conv(x, k, stride=stride, padding=padding), kernel)(g)
    return gradient
