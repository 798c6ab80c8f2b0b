"""Winograd's minimal filtering for the CPU: convolutions in 9 products where the sum has 16, or in 16 where it has 36.

Two outputs of a filter of r taps take r + 1 multiplications of transformed data and filter (Winograd 1980; Lavin &
Gray 2016, arXiv:1509.09308), in each direction. With r = 2 and 3 the transforms add and subtract at most four numbers,
so float32 keeps its precision (errors stay near one part in 10^6). Each product of the minimal algorithm is one matrix
product of [tiles, channels] with [channels, channels], which is what a CPU does best.

Tiles are of 2 × 2 outputs. Slices keep whole runs of channels, so that XLA's loops over them vectorise. Terms are
written out; in a loop they compile in a fifth of the time but cost a tenth more (filter gradients, where the 16 terms
of 3×3 kernels are in one) to a half more (the other two faces). A program holds each face once for each shape.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from gen_jax.nets.called import called

# For r taps: data to r + 1 terms, filter to terms, terms to two outputs. The gradient to the filter is the same
# trilinear form with output and filter exchanged: cotangents to terms by OUTPUT's transpose, terms to taps by FILTER's.
DATA = {
    2: np.array([(1, -1, 0), (0, 1, 0), (0, 1, -1)]),
    3: np.array([(1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1)]),
}
FILTER = {
    2: np.array([(1, 0), (1, 1), (0, 1)]),
    3: np.array([(1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1)]),
}
OUTPUT = {
    2: np.array([(1, 1, 0), (0, 1, -1)]),
    3: np.array([(1, 1, 1, 0), (0, 1, -1, -1)]),
}


@called
def conv3(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """x [B, n + 2, m + 2, C], kernel [3, 3, C, K] -> the correlation at every position, [B, n, m, K]; n, m even."""
    grid = _grid(x.shape[1] - 2, x.shape[2] - 2)
    data, filters = _all_terms(DATA[3], x, grid), _transform(FILTER[3], kernel)
    found = [_product(v, filters[k]) for k, v in enumerate(data)]
    return _image(_transform_back(OUTPUT[3], found), x.shape[0], grid).astype(x.dtype)


@called
def conv4(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """x [B, 2n + 2, 2m + 2, C], kernel [4, 4, C, K] -> the correlation at every second position, [B, n, m, K].

    Two taps on the rows and columns of each phase: row phases as two sums, column phases side by side as channels.
    """
    pairs, grid = _column_pairs(x)
    parts = kernel.reshape(2, 2, 2, 2 * kernel.shape[2], kernel.shape[3])  # [taps, row phase, taps, 2C, K]
    found: list[jax.Array] = []
    for p in range(2):
        data, filters = _all_terms(DATA[2], pairs, grid, down=p), _transform(FILTER[2], parts[:, p])
        products = [_product(v, filters[k]) for k, v in enumerate(data)]
        found = [a + b for a, b in zip(found, products, strict=True)] if found else products
    return _image(_transform_back(OUTPUT[2], found), x.shape[0], grid).astype(x.dtype)


@called
def input_grad4(g: jax.Array, kernel: jax.Array) -> jax.Array:
    """g [B, n, m, K], kernel [4, 4, C, K] -> the gradient to an image, [B, 2n, 2m, C], that `conv4` read with a border.

    `conv4` backwards, line by line: cotangents to terms, one product a term and row phase to both column phases, and
    back to the rows and columns that a tile read, of which neighbours share the outermost.
    """
    count, height, width, outputs = g.shape
    inputs, grid = kernel.shape[2], _grid(height, width)
    cotangents = _all_terms(OUTPUT[2].T, g, grid)
    parts = kernel.reshape(2, 2, 2, 2 * inputs, outputs)  # [taps, row phase, taps, 2C, K]
    pairs: list[Elements] = []
    for p in range(2):
        filters = _transform(FILTER[2], parts[:, p])
        products = [_product(v, filters[k].T) for k, v in enumerate(cotangents)]
        pairs.append(_transform_back(DATA[2].T, products))

    def at(row: Place, column: Place) -> jax.Array:
        part = pairs[row.phase][row.line][column.line][:, column.phase * inputs : (column.phase + 1) * inputs]
        tiles = part.reshape(count, grid.rows, grid.columns, inputs)
        return _neighbour(tiles, row.tile, column.tile).reshape(-1, inputs)

    image = [
        [_sum([(1, at(row, column)) for row in rows for column in columns]) for columns in BORDERED]
        for rows in BORDERED
    ]
    return _image(image, count, grid).astype(g.dtype)


@called
def weight_grad3(x: jax.Array, g: jax.Array) -> jax.Array:
    """x [B, n + 2, m + 2, C], g [B, n, m, K] -> the gradient to the kernel of `conv3`, [3, 3, C, K]."""
    grid = _grid(*g.shape[1:3])
    data, cotangents = _terms(DATA[3], x, grid), _terms(OUTPUT[3].T, g, grid)
    found = lax.map(lambda k: _outer(data(k), cotangents(k)), jnp.arange(16))
    return _stack(_transform_back(FILTER[3].T, found)).astype(x.dtype)


@called
def weight_grad4(x: jax.Array, g: jax.Array) -> jax.Array:
    """x [B, 2n + 2, 2m + 2, C], g [B, n, m, K] -> the gradient to the kernel of `conv4`, [4, 4, C, K]."""
    pairs, grid = _column_pairs(x)
    cotangents = _all_terms(OUTPUT[2].T, g, _grid(*g.shape[1:3]))
    found: list[jax.Array] = []
    for p in range(2):
        terms = [_outer(v, u) for v, u in zip(_all_terms(DATA[2], pairs, grid, down=p), cotangents, strict=True)]
        found.append(_stack(_transform_back(FILTER[2].T, terms)))
    whole = jnp.stack(found, axis=1)  # [taps, row phase, taps, 2C, K]
    return whole.reshape(4, 4, x.shape[3], g.shape[3]).astype(x.dtype)


# --- pieces -----------------------------------------------------------------------------------------------------------


Elements = list[list[jax.Array]]  # the elements of a tile, each for all tiles


class Grid(NamedTuple):
    """Tiles down and right, and how far apart the rows of one tile and the tiles are in the array they are cut from."""

    rows: int
    columns: int
    row_step: int = 1


class Place(NamedTuple):
    """A row (or column) of what a tile reads of one phase; the tile itself, the one before (-1) or the next (1)."""

    phase: int
    line: int
    tile: int


# The four rows of the image inside its border that belong to a tile: its rows of phase 1, 0, 1, 0.
BORDERED = (
    (Place(1, 0, 0), Place(1, 2, -1)),
    (Place(0, 1, 0),),
    (Place(1, 1, 0),),
    (Place(0, 2, 0), Place(0, 0, 1)),
)


def _neighbour(x: jax.Array, down: int, right: int) -> jax.Array:
    """x [B, rows, columns, C] -> at every tile the value of the one so far down and right; 0 beyond the edge."""
    return lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), (-down, down, 0), (-right, right, 0), (0, 0, 0)))


def _grid(height: int, width: int) -> Grid:
    return Grid(height // 2, width // 2)


def _column_pairs(x: jax.Array) -> tuple[jax.Array, Grid]:
    """Neighbouring columns as one with 2C channels; rows of one phase are every second row."""
    count, height, width, channels = x.shape
    pairs = x.reshape(count, height, width // 2, 2 * channels)
    return pairs, Grid((height - 2) // 4, (width - 2) // 4, row_step=2)


def _terms(matrix: np.ndarray, x: jax.Array, grid: Grid) -> Callable[[jax.Array], jax.Array]:
    """Term k of the tiles of x under `matrix` in both directions, [tiles, C]."""
    size = len(matrix)
    places, weights = zip(*map(_two_entries, matrix), strict=True)
    places, weights = jnp.asarray(places, jnp.int32), jnp.asarray(weights, x.dtype)
    height, width = 2 * grid.rows - 1, 2 * grid.columns - 1

    def term(k: jax.Array) -> jax.Array:
        i, j = k // size, k % size
        total = None
        for a in range(2):
            for b in range(2):
                start = (0, places[i, a], places[j, b], 0)
                cut = lax.dynamic_slice(x, start, (x.shape[0], height, width, x.shape[3]))
                part = weights[i, a] * weights[j, b] * cut[:, ::2, ::2]
                total = part if total is None else total + part
        assert total is not None
        return total.reshape(-1, x.shape[3])

    return term


def _all_terms(matrix: np.ndarray, x: jax.Array, grid: Grid, down: int = 0) -> list[jax.Array]:
    """Every term as by `_terms`, written out; tiles start at row `down`."""
    height, width = grid.row_step * (2 * grid.rows - 2) + 1, 2 * grid.columns - 1

    def corner(a: int, b: int) -> jax.Array:
        top = grid.row_step * a + down
        cut = x[:, top : top + height : 2 * grid.row_step, b : b + width : 2]
        return cut.reshape(-1, x.shape[3])

    size = matrix.shape[1]
    lines = _combine(matrix, [[corner(a, b) for b in range(size)] for a in range(size)])
    return [term for line in lines for term in line]


def _two_entries(row: np.ndarray) -> tuple[list[int], list[float]]:
    """Where a row's entries are, and what they are; a row with one entry has a second one of 0."""
    (places,) = np.nonzero(row)
    places = [*places.tolist(), *places.tolist()][:2]
    return places, [float(row[places[0]]), float(row[places[1]]) if places[1] != places[0] else 0.0]


def _transform(matrix: np.ndarray, kernel: jax.Array) -> list[jax.Array]:
    """[r, r, C, K] -> the (r + 1)² terms of the filter, each [C, K]."""
    taps = kernel.shape[0]
    lines = _combine(matrix, [[kernel[a, b] for b in range(taps)] for a in range(taps)])
    return [term for line in lines for term in line]


def _transform_back(matrix: np.ndarray, terms: Sequence[jax.Array] | jax.Array) -> Elements:
    """Terms in both directions -> [n][n] sums of them, with n the rows of `matrix`."""
    size = matrix.shape[1]
    return _combine(matrix, [[terms[size * a + b] for b in range(size)] for a in range(size)])


def _combine(matrix: np.ndarray, elements: Elements) -> Elements:
    """matrix · elements · matrixᵀ."""
    columns = [_sums(matrix, list(column)) for column in zip(*elements, strict=True)]  # [b][i]
    return [_sums(matrix, [column[i] for column in columns]) for i in range(len(matrix))]


def _sums(matrix: np.ndarray, arrays: list[jax.Array]) -> list[jax.Array]:
    return [_sum([(weight, array) for weight, array in zip(row, arrays, strict=True) if weight]) for row in matrix]


def _sum(parts: list[tuple[float, jax.Array]]) -> jax.Array:
    """The sum of weights times arrays."""
    scaled = [(weight, array if abs(weight) == 1 else array * float(abs(weight))) for weight, array in parts]
    (sign, total), *rest = scaled
    total = total if sign > 0 else -total
    for sign, array in rest:
        total = total + array if sign > 0 else total - array
    return total


def _stack(elements: Elements) -> jax.Array:
    return jnp.stack([jnp.stack(line) for line in elements])


def _product(v: jax.Array, u: jax.Array) -> jax.Array:
    return jnp.matmul(v, u, preferred_element_type=jnp.float32)


def _outer(v: jax.Array, u: jax.Array) -> jax.Array:
    return jnp.einsum("tc,tk->ck", v, u, preferred_element_type=jnp.float32)


def _image(elements: Elements, count: int, grid: Grid) -> jax.Array:
    """The elements of every tile, each [tiles, K], side by side: [count, rows · size, columns · size, K]."""
    size, channels = len(elements), elements[0][0].shape[1]
    tiles = jnp.stack([jnp.stack(line, axis=1) for line in elements], axis=1)  # [tiles, size, size, K]
    tiles = tiles.reshape(count, grid.rows, grid.columns, size, size, channels).transpose(0, 1, 3, 2, 4, 5)
    return tiles.reshape(count, size * grid.rows, size * grid.columns, channels)
