"""The three faces of a convolution as XLA writes them: what every platform but CPU runs.

The gradients are the programs of JAX's own differentiation rules, written out. (Asking `jax.linear_transpose` for them
would differentiate inside a lowering, where `shard_map(check_vma=True)` sums over devices once more.)
"""

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
    borders = [
        (window - 1 - before, full + before - stride * (n - 1) - 1)
        for n, window, full, (before, _) in zip(g.shape[1:3], kernel.shape[:2], size, padding, strict=True)
    ]
    return lax.conv_general_dilated(
        g,
        jnp.flip(kernel, (0, 1)),
        (1, 1),
        borders,
        lhs_dilation=(stride, stride),
        dimension_numbers=("NHWC", "HWOI", "NHWC"),
    )


def plain_weight_grad(
    x: jax.Array, g: jax.Array, *, stride: int, padding: Padding, window: tuple[int, int]
) -> jax.Array:
    """x [B, H, W, I], g [B, h, w, O] -> the gradient to the kernel of size `window`, [kh, kw, I, O]."""
    borders = [
        (before, taps + stride * (n - 1) - full - before)
        for n, taps, full, (before, _) in zip(g.shape[1:3], window, x.shape[1:3], padding, strict=True)
    ]
    return lax.conv_general_dilated(
        x,
        g,
        (1, 1),
        borders,
        rhs_dilation=(stride, stride),
        dimension_numbers=("CHWN", "IHWO", "HWNC"),
    )
