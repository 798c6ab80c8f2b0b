"""Changing the size of images by factors of two: exact, separable, cheap to differentiate twice.

All are sums of shifted slices and reshapes, which every platform fuses; a convolution with a fixed kernel, a strided
window or a gather would each be slow somewhere. Images are [B, H, W, C]; the smallest maps may have one row.
"""

import jax
import jax.numpy as jnp


def nearest_up(x: jax.Array) -> jax.Array:
    """Every pixel four times: [B, H, W, C] -> [B, 2H, 2W, C]."""
    count, rows, columns, channels = x.shape
    grid = jnp.broadcast_to(x[:, :, None, :, None], (count, rows, 2, columns, 2, channels))
    return grid.reshape(count, 2 * rows, 2 * columns, channels)


def bilinear_up(x: jax.Array) -> jax.Array:
    """Bilinear with half-pixel centres and repeated borders, [B, 2H, 2W, C].

    PyTorch's `interpolate(mode="bilinear", align_corners=False)`.
    """
    return _blend_up(_blend_up(x, 1, "edge"), 2, "edge")


def fir_up(x: jax.Array) -> jax.Array:
    """The filter [1, 3, 3, 1] after inserting zeros, with gain 4, zeros beyond the border: [B, 2H, 2W, C].

    `upsample2d` of StyleGAN2 and R3GAN: bilinear but for the border, where it darkens.
    """
    return _blend_up(_blend_up(x, 1, "constant"), 2, "constant")


def fir_down(x: jax.Array) -> jax.Array:
    """The filter [1, 3, 3, 1] (unit sum), then every second pixel, zeros beyond the border: [B, H/2, W/2, C].

    Half the transpose of `fir_up` along each axis, as in StyleGAN2 and R3GAN. H and W are even.
    """
    return _blend_down(_blend_down(x, 1), 2)


def average_down(x: jax.Array) -> jax.Array:
    """Mean of each 2×2 block: [B, H, W, C] -> [B, H // 2, W // 2, C]; an odd last row or column is left out."""
    return jnp.mean(_blocks(x), axis=(2, 4))


def max_down(x: jax.Array) -> jax.Array:
    """Maximum of each 2×2 block: [B, H, W, C] -> [B, H // 2, W // 2, C]; an odd last row or column is left out."""
    return jnp.max(_blocks(x), axis=(2, 4))


def _blocks(x: jax.Array) -> jax.Array:
    count, rows, columns, channels = x.shape
    rows, columns = rows // 2, columns // 2
    return x[:, : 2 * rows, : 2 * columns].reshape(count, rows, 2, columns, 2, channels)


def _neighbours(before: jax.Array, after: jax.Array, axis: int, border: str) -> tuple[jax.Array, jax.Array]:
    """Along `axis`, (`before` moved one on, `after` moved one back), filled with zeros or the edge's own value."""
    length = before.shape[axis]
    pads = [[(0, 0)] * before.ndim for _ in range(2)]
    pads[0][axis], pads[1][axis] = (1, 0), (0, 1)
    previous = jax.lax.slice_in_dim(jnp.pad(before, pads[0], mode=border), 0, length, axis=axis)
    following = jax.lax.slice_in_dim(jnp.pad(after, pads[1], mode=border), 1, length + 1, axis=axis)
    return previous, following


def _blend_up(x: jax.Array, axis: int, border: str) -> jax.Array:
    previous, following = _neighbours(x, x, axis, border)
    pair = jnp.stack([0.75 * x + 0.25 * previous, 0.75 * x + 0.25 * following], axis=axis + 1)
    return pair.reshape(*x.shape[:axis], 2 * x.shape[axis], *x.shape[axis + 1 :])


def _blend_down(x: jax.Array, axis: int) -> jax.Array:
    pair = x.reshape(*x.shape[:axis], x.shape[axis] // 2, 2, *x.shape[axis + 1 :])
    first, second = (jax.lax.index_in_dim(pair, i, axis + 1, keepdims=False) for i in range(2))
    previous, following = _neighbours(second, first, axis, "constant")
    return 0.375 * (first + second) + 0.125 * (previous + following)


def fir_blur(x: jax.Array, before: int, gain: float = 1.0) -> jax.Array:
    """The filter [1, 3, 3, 1] (of sum `gain`) at the same size, zeros beyond the border: [B, H, W, C] -> the same.

    An even filter moves an image by half a pixel: back with `before` 1, which a strided transposed convolution wants
    after it, on with 2, which a strided convolution wants before it (StyleGAN2).
    """
    for axis in (1, 2):
        length, pads = x.shape[axis], [(0, 0)] * x.ndim
        pads[axis] = (before, 3 - before)
        wide = jnp.pad(x, pads)
        parts = [jax.lax.slice_in_dim(wide, start, start + length, axis=axis) for start in range(4)]
        x = (0.125 * gain**0.5) * (parts[0] + parts[3] + 3.0 * (parts[1] + parts[2]))
    return x
