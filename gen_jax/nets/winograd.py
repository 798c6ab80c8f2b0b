"""Winograd's minimal filtering for the CPU: convolutions in 9 products where the sum has 16, or in 16 where it has 36.

Two outputs of a filter of r taps take r + 1 multiplications of transformed data and filter (Winograd 1980; Lavin &
Gray 2016, arXiv:1509.09308), in each direction. With r = 2 and 3 the transforms add and subtract at most four numbers,
so float32 keeps its precision (errors stay near one part in 10^6). Each product of the minimal algorithm is one matrix
product of [tiles, channels] with [channels, channels], which is what a CPU does best.

Tiles are of 2 × 2 outputs. Slices keep whole runs of channels, so that XLA's loops over them vectorise.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

# For r taps: data to r + 1 terms, filter to terms, terms to two outputs. Rows are sums of few signed entries.
DATA = {
    2: ((1, -1, 0), (0, 1, 0), (0, 1, -1)),
    3: ((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1)),
}
FILTER = {
    2: ((1, 0), (1, 1), (0, 1)),
    3: ((1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1)),
}
OUTPUT = {
    2: ((1, 1, 0), (0, 1, -1)),
    3: ((1, 1, 1, 0), (0, 1, -1, -1)),
}
# The gradient to the filter is the same trilinear form with output and filter exchanged: cotangents to terms by the
# transpose of OUTPUT, terms to taps by the transpose of FILTER.


Grid = list[list[jax.Array]]
Corner = Callable[[int, int], jax.Array]


def conv3(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """x [B, n + 2, m + 2, C], kernel [3, 3, C, K] -> the correlation at every position, [B, n, m, K]; n, m even."""
    terms = _products(_data(corners(x), 3), _filters(kernel))
    return _image(_combine(OUTPUT[3], terms), x.shape[0], x.shape[1] // 2 - 1).astype(x.dtype)


def conv4(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """x [B, 2n + 2, 2m + 2, C], kernel [4, 4, C, K] -> the correlation at every second position, [B, n, m, K].

    Two taps on the two rows and columns of each phase: rows as two sums, columns side by side as channels.
    """
    terms = [
        _products(_data(corner, 2), _filters(filters))
        for corner, filters in zip(_by_row_phase(x), _filters_by_row_phase(kernel), strict=True)
    ]
    both = [[a + b for a, b in zip(*lines, strict=True)] for lines in zip(*terms, strict=True)]
    return _image(_combine(OUTPUT[2], both), x.shape[0], (x.shape[1] - 2) // 4).astype(x.dtype)


def input_grad4(g: jax.Array, kernel: jax.Array) -> jax.Array:
    """g [B, n + 2, m + 2, K] (zeros around it), kernel [4, 4, C, K] -> the gradient to an image, [B, 2n, 2m, C].

    The image's even rows see taps 3 and 1 of rows i - 1 and i, its odd rows taps 2 and 0 of rows i and i + 1: four
    correlations of two taps, of which neighbours share terms of g (XLA computes equal ones once).
    """
    grid: Grid = [[g] * 4 for _ in range(4)]
    for rows in range(2):
        for columns in range(2):
            filters = kernel[3 - rows :: -2, 3 - columns :: -2].swapaxes(2, 3)
            outputs = _combine(OUTPUT[2], _products(_data(corners(g, rows, columns), 2), _filters(filters)))
            for a in range(2):
                for b in range(2):
                    grid[2 * a + rows][2 * b + columns] = outputs[a][b]
    return _image(grid, g.shape[0], g.shape[1] // 2 - 1).astype(g.dtype)


def weight_grad3(x: jax.Array, g: jax.Array) -> jax.Array:
    """x [B, n + 2, m + 2, C], g [B, n, m, K] -> the gradient to the kernel of `conv3`, [3, 3, C, K]."""
    return _weight_grad(_data(corners(x), 3), _cotangents(g, 3), 3).astype(x.dtype)


def weight_grad4(x: jax.Array, g: jax.Array) -> jax.Array:
    """x [B, 2n + 2, 2m + 2, C], g [B, n, m, K] -> the gradient to the kernel of `conv4`, [4, 4, C, K]."""
    cotangents = _cotangents(g, 2)
    found = [_weight_grad(_data(corner, 2), cotangents, 2) for corner in _by_row_phase(x)]
    kernel = jnp.stack(found, axis=1)  # [2, row phase, 2, column phase · C, K]
    return kernel.reshape(4, 4, x.shape[3], g.shape[3]).astype(x.dtype)


# --- pieces -----------------------------------------------------------------------------------------------------------


def corners(x: jax.Array, down: int = 0, right: int = 0) -> Corner:
    """Element (a, b) of every 2 × 2 tile of x, and of its two neighbours beyond: [tiles, C]."""
    rows, columns = x.shape[1] // 2 - 1, x.shape[2] // 2 - 1

    def corner(a: int, b: int) -> jax.Array:
        a, b = a + down, b + right
        return x[:, a : a + 2 * rows - 1 : 2, b : b + 2 * columns - 1 : 2].reshape(-1, x.shape[3])

    return corner


def _by_row_phase(x: jax.Array) -> list[Corner]:
    """Corners of the even rows, and of the odd ones, of an image whose neighbouring columns are one, of 2C channels."""
    count, rows, columns, channels = x.shape
    pairs = x.reshape(count, rows, columns // 2, 2 * channels)
    down, right = (rows - 2) // 4, (columns - 2) // 4

    def phase(p: int) -> Corner:
        def corner(a: int, b: int) -> jax.Array:
            first = 2 * a + p
            taken = pairs[:, first : first + 4 * down - 3 : 4, b : b + 2 * right - 1 : 2]
            return taken.reshape(-1, 2 * channels)

        return corner

    return [phase(0), phase(1)]


def _filters_by_row_phase(kernel: jax.Array) -> list[jax.Array]:
    """[4, 4, C, K] -> for each row phase, [2, 2, 2C, K]."""
    parts = kernel.reshape(2, 2, 2, 2 * kernel.shape[2], kernel.shape[3])
    return [parts[:, p] for p in range(2)]


def _data(corner: Corner, taps: int) -> Grid:
    return _combine(DATA[taps], [[corner(a, b) for b in range(taps + 1)] for a in range(taps + 1)])


def _filters(kernel: jax.Array) -> Grid:
    taps = kernel.shape[0]
    return _combine(FILTER[taps], [[kernel[a, b] for b in range(taps)] for a in range(taps)])


def _cotangents(g: jax.Array, taps: int) -> Grid:
    tiles = [[g[:, a::2, b::2].reshape(-1, g.shape[3]) for b in range(2)] for a in range(2)]
    return _combine(_transposed(OUTPUT[taps]), tiles)


def _products(data: Grid, filters: Grid) -> Grid:
    return [
        [jnp.matmul(v, u, preferred_element_type=jnp.float32) for v, u in zip(vs, us, strict=True)]
        for vs, us in zip(data, filters, strict=True)
    ]


def _weight_grad(data: Grid, cotangents: Grid, taps: int) -> jax.Array:
    terms = [
        [jnp.einsum("tc,tk->ck", v, u, preferred_element_type=jnp.float32) for v, u in zip(vs, us, strict=True)]
        for vs, us in zip(data, cotangents, strict=True)
    ]
    return jnp.stack([jnp.stack(line) for line in _combine(_transposed(FILTER[taps]), terms)])


def _image(grid: Grid, count: int, rows: int) -> jax.Array:
    """Tiles' elements, each [tiles, K], side by side: [count, rows · len(grid), …, K]."""
    size, channels = len(grid), grid[0][0].shape[1]
    tiles = jnp.stack([jnp.stack(line, axis=1) for line in grid], axis=1)  # [tiles, size, size, K]
    columns = tiles.shape[0] // (count * rows)
    tiles = tiles.reshape(count, rows, columns, size, size, channels).transpose(0, 1, 3, 2, 4, 5)
    return tiles.reshape(count, size * rows, size * columns, channels)


def _combine(matrix: Sequence[Sequence[float]], grid: Grid) -> Grid:
    """matrix · grid · matrixᵀ, for a grid of arrays."""
    columns = [_sums(matrix, list(column)) for column in zip(*grid, strict=True)]  # [b][i]
    return [_sums(matrix, [column[i] for column in columns]) for i in range(len(matrix))]


def _sums(matrix: Sequence[Sequence[float]], arrays: list[jax.Array]) -> list[jax.Array]:
    return [_sum([(weight, array) for weight, array in zip(row, arrays, strict=True) if weight]) for row in matrix]


def _sum(terms: list[tuple[float, jax.Array]]) -> jax.Array:
    parts = [(weight, array if abs(weight) == 1 else abs(weight) * array) for weight, array in terms]
    (sign, total), *rest = parts
    total = total if sign > 0 else -total
    for sign, part in rest:
        total = total + part if sign > 0 else total - part
    return total


def _transposed(matrix: Sequence[Sequence[float]]) -> list[tuple[float, ...]]:
    return list(zip(*matrix, strict=True))
