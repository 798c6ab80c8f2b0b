"""The three faces of a convolution as the CPU likes them: the same sums, arranged as something XLA's CPU is good at.

Chosen by shape, from measurements on two cores (`python benchmarks/convolutions.py` repeats them). What is left to XLA
is what it does well: a convolution of images [B, H, W, C] with a kernel [kh, kw, I, O] in that very layout. In another
(such as the gradients' [I, H, W, B], named by dimension numbers) it is good at the top of a program, but 5 to 90 times
slower inside a loop, where training steps run: so arrays are transposed first, everywhere. What is rearranged besides:

- The input gradient of a strided convolution dilates g with zeros and multiplies most of them. Instead it is a dense
  stride-1 convolution of g to the s × s phases of the image, then depth-to-space; on small maps, or for thin images,
  one matrix product to all taps, which are then added where they overlap.
- 4×4 kernels with stride 2 and 3×3 kernels with stride 1, on wide maps, take Winograd's algorithm (`winograd`): 9 or
  16 matrix products where the sum has 16 or 36, at the precision of float32. Except for strided convolutions of large
  images: there the transforms cost the memory what the products save.
- Other weight gradients are a convolution, too: of the image's channels with g, over the batch. (A matrix product for
  each tap takes 1.2 to 2.5 times as long for 3×3 kernels of 16 to 96 channels on 28×28 maps.)
- Convolutions to or from very few channels (pixels) are one matrix product over taps of the thin side.
"""

from math import prod

import jax
import jax.numpy as jnp
from jax import lax

from gen_jax.nets import winograd
from gen_jax.nets.conv_plain import LAYOUT, Padding, plain_conv

THIN = 4  # channels up to which a map is narrow enough that gathering all its taps costs less than it saves
WIDE = 64  # channels on both sides from which Winograd's products are large enough to be fast
DEAR = 2**27  # multiply-adds from which they save more time than they take to compile
LARGE = 3 * 2**20  # numbers of an image batch from which a strided convolution's transforms cost what they save
SMALL = 8  # up to this many rows of g, adding up the taps is cheaper than the border of the phase convolution


def conv(x: jax.Array, kernel: jax.Array, *, stride: int, padding: Padding) -> jax.Array:
    """x [B, H, W, I], kernel [kh, kw, I, O] -> y [B, h, w, O]."""
    if _tiled(x.shape, kernel.shape, stride, padding, x.dtype) and not (stride == 2 and x.size >= LARGE):
        return (winograd.conv4 if stride == 2 else winograd.conv3)(_pad(x, padding), kernel)
    if stride == 1 and kernel.shape[3] <= THIN < kernel.shape[2] and kernel.shape[0] > 1:
        mirrored, borders = jnp.flip(kernel, (0, 1)).swapaxes(2, 3), _mirrored(padding, kernel.shape)
        (above, below), (left, right) = padding
        rows, columns = kernel.shape[:2]
        size = (x.shape[1] + above + below - rows + 1, x.shape[2] + left + right - columns + 1)
        return _overlap_add(x, mirrored, 1, borders, size)
    if stride > 1 and _gathers(kernel.shape, stride):
        flat = kernel.reshape(-1, kernel.shape[3])
        taps = _taps(x, stride, padding, (kernel.shape[0], kernel.shape[1]))
        return jnp.einsum("bhwk,ko->bhwo", taps, flat, preferred_element_type=jnp.float32).astype(x.dtype)
    return plain_conv(x, kernel, stride=stride, padding=padding)


def input_grad(g: jax.Array, kernel: jax.Array, *, stride: int, padding: Padding, size: tuple[int, int]) -> jax.Array:
    """g [B, h, w, O], kernel [kh, kw, I, O] -> the gradient to the input of `size`, [B, H, W, I]."""
    image = (g.shape[0], *size, kernel.shape[2])
    if _tiled(image, kernel.shape, stride, padding, g.dtype):
        if stride == 2:
            return winograd.input_grad4(g, kernel)
        return winograd.conv3(_pad(g, padding), jnp.flip(kernel, (0, 1)).swapaxes(2, 3))
    thin = kernel.shape[2] <= THIN < kernel.shape[3] and kernel.shape[0] > 1
    if thin or (stride > 1 and g.shape[1] <= SMALL):
        return _overlap_add(g, kernel, stride, padding, size)
    if stride > 1:
        return _phases(g, kernel, stride, padding, size)
    mirrored = jnp.flip(kernel, (0, 1)).swapaxes(2, 3)
    return plain_conv(g, mirrored, stride=1, padding=_mirrored(padding, kernel.shape))


def weight_grad(x: jax.Array, g: jax.Array, *, stride: int, padding: Padding, window: tuple[int, int]) -> jax.Array:
    """x [B, H, W, I], g [B, h, w, O] -> the gradient to the kernel of size `window`, [kh, kw, I, O]."""
    inputs, outputs = x.shape[3], g.shape[3]
    if _tiled(x.shape, (*window, inputs, outputs), stride, padding, x.dtype):
        return (winograd.weight_grad4 if stride == 2 else winograd.weight_grad3)(_pad(x, padding), g)
    if _gathers((*window, inputs, outputs), stride):
        return _tap_product(x, g, stride, padding, window)
    if stride == 1 and outputs <= THIN < inputs:
        return jnp.flip(_tap_product(g, x, 1, _mirrored(padding, window), window), (0, 1)).swapaxes(2, 3)
    if window == (1, 1) and stride == 1:
        return _tap_product(x, g, stride, padding, window)
    return _over_the_batch(x, g, stride, padding, window)


def _tiled(image: tuple[int, ...], kernel: tuple[int, ...], stride: int, padding: Padding, dtype: jnp.dtype) -> bool:
    """Whether Winograd's algorithm applies and pays: a kernel it is written for, whole tiles, wide float32 maps."""
    count, rows, columns, inputs = image
    tile = 2 * stride
    return (
        dtype == jnp.float32
        and (*kernel[:2], stride) in ((3, 3, 1), (4, 4, 2))
        and all(size % tile == 0 and size > 0 for size in (rows, columns))
        and padding == ((1, 1), (1, 1))
        and min(inputs, kernel[3]) >= WIDE
        and count * (rows // stride) * (columns // stride) * prod(kernel) >= DEAR
    )


def _over_the_batch(x: jax.Array, g: jax.Array, stride: int, padding: Padding, window: tuple[int, int]) -> jax.Array:
    """Weight gradient as the convolution of x with the dilated g over rows of the batch, in canonical layout."""
    borders = tuple(
        (before, taps + stride * (n - 1) - full - before)
        for n, taps, full, (before, _) in zip(g.shape[1:3], window, x.shape[1:3], padding, strict=True)
    )
    images, kernels = x.transpose(3, 1, 2, 0), g.transpose(1, 2, 0, 3)  # [I, H, W, B] and [h, w, B, O]
    found = lax.conv_general_dilated(
        images, kernels, (1, 1), borders, rhs_dilation=(stride, stride), dimension_numbers=LAYOUT
    )
    return found.transpose(1, 2, 0, 3)


def _mirrored(padding: Padding, window: tuple[int, ...]) -> Padding:
    """The padding under which a stride-1 convolution's roles of image and output are exchanged."""
    return tuple((n - 1 - before, n - 1 - after) for n, (before, after) in zip(window, padding, strict=False))


def _pad(x: jax.Array, padding: Padding) -> jax.Array:
    return jnp.pad(x, ((0, 0), *padding, (0, 0)))


def _by_phase(kernel: jax.Array, stride: int) -> jax.Array:
    """[kh, kw, I, O] -> [Q, Q', s, s, I, O]: tap s·q + p of the kernel (zero beyond its end) at [q, ., p, .]."""
    taps = [-(-n // stride) for n in kernel.shape[:2]]
    kernel = jnp.pad(kernel, [*((0, q * stride - n) for q, n in zip(taps, kernel.shape, strict=False)), (0, 0), (0, 0)])
    return kernel.reshape(taps[0], stride, taps[1], stride, *kernel.shape[2:]).transpose(0, 2, 1, 3, 4, 5)


def _unphase(grid: jax.Array, stride: int, padding: Padding, size: tuple[int, int]) -> jax.Array:
    """Depth to space, [B, n, m, s·s·I] -> [B, s·n, s·m, I], then cut (or fill) to the unpadded image."""
    count, rows, columns, depth = grid.shape
    image = grid.reshape(count, rows, columns, stride, stride, depth // stride**2).transpose(0, 1, 3, 2, 4, 5)
    image = image.reshape(count, rows * stride, columns * stride, depth // stride**2)
    edges = [
        (-before, before + full - n, 0) for (before, _), full, n in zip(padding, size, image.shape[1:3], strict=True)
    ]
    return lax.pad(image, jnp.zeros((), image.dtype), [(0, 0, 0), *edges, (0, 0, 0)])


def _phases(g: jax.Array, kernel: jax.Array, stride: int, padding: Padding, size: tuple[int, int]) -> jax.Array:
    """Input gradient as a dense convolution of g to all phases: row s·j + p is sum_q k[s·q + p] g[j - q]."""
    by_phase = jnp.flip(_by_phase(kernel, stride), (0, 1))
    rows, columns, *_, inputs, outputs = by_phase.shape
    dense = by_phase.transpose(0, 1, 5, 2, 3, 4).reshape(rows, columns, outputs, stride**2 * inputs)
    grid = plain_conv(g, dense, stride=1, padding=((rows - 1, rows - 1), (columns - 1, columns - 1)))
    return _unphase(grid, stride, padding, size)


def _overlap_add(g: jax.Array, kernel: jax.Array, stride: int, padding: Padding, size: tuple[int, int]) -> jax.Array:
    """Input gradient as one matrix product to every tap of every position, added up where the windows overlap."""
    by_phase = _by_phase(kernel, stride)
    rows, columns, *_, inputs, outputs = by_phase.shape
    taps = jnp.einsum("bhwo,ko->bhwk", g, by_phase.reshape(-1, outputs), preferred_element_type=jnp.float32)
    taps = taps.reshape(*g.shape[:3], rows, columns, stride**2 * inputs)
    grid = sum(
        jnp.pad(taps[:, :, :, q, r], ((0, 0), (q, rows - 1 - q), (r, columns - 1 - r), (0, 0)))
        for q in range(rows)
        for r in range(columns)
    )
    return _unphase(jnp.asarray(grid, g.dtype), stride, padding, size)


def _gathers(kernel: tuple[int, ...], stride: int) -> bool:
    """Whether all taps of a thin image are gathered: at a stride not of one channel, where XLA would draw a
    binarisation's noise anew for every tap."""
    _, columns, inputs, outputs = kernel
    return (1 if stride == 1 else 2) <= inputs <= THIN < outputs and columns % stride == 0


def _taps(x: jax.Array, stride: int, padding: Padding, window: tuple[int, int]) -> jax.Array:
    """[B, H, W, I] -> [B, h, w, kh·kw·I], what each output sees."""
    return jnp.concatenate(_cuts(x, stride, padding, window), -1)


def _cuts(x: jax.Array, stride: int, padding: Padding, window: tuple[int, int]) -> list[jax.Array]:
    """What each output sees, in order, in pieces [B, h, w, s·I]: neighbouring columns of one stride stay together."""
    x = _pad(x, padding)
    rows, columns = ((full - taps) // stride + 1 for full, taps in zip(x.shape[1:3], window, strict=True))
    across, down = window[1] // stride, stride * (rows - 1) + 1
    x = x[:, :, : stride * (columns + across - 1)].reshape(*x.shape[:2], -1, stride * x.shape[3])
    return [x[:, a : a + down : stride, b : b + columns] for a in range(window[0]) for b in range(across)]


def _tap_product(x: jax.Array, g: jax.Array, stride: int, padding: Padding, window: tuple[int, int]) -> jax.Array:
    """Weight gradient as one matrix product of all taps of x with g."""
    taps = _taps(x, stride, padding, window)
    product = jnp.einsum("bhwk,bhwo->ko", taps, g, preferred_element_type=jnp.float32)
    return product.reshape(*window, x.shape[3], g.shape[3]).astype(x.dtype)
