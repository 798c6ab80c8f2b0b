"""Exact nearest neighbours in fixed memory: distances a block against a block, never the whole matrix."""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from gen_jax.core.errors import UserError
from gen_jax.metrics.precision import follows_dtype


def squared_distances(x, y):
    """|x_i - y_j|^2, [N, D] and [M, D] -> [N, M], by one matrix product; centre both sets first to keep the digits.

    Of JAX or NumPy arrays, by whichever they are.
    """
    norms = (x * x).sum(axis=1)[:, None] + (y * y).sum(axis=1)
    return (norms - 2 * x @ y.T).clip(min=0)


def in_blocks(x, block: int):
    """[N, ...] padded with zeros and split to [ceil(N / block), block, ...]."""
    short = -len(x) % block
    return jnp.pad(x, [(0, short)] + [(0, 0)] * (x.ndim - 1)).reshape(-1, block, *x.shape[1:])


@partial(jax.jit, static_argnames=("k", "block", "same"))
def _nearest(queries, points, k: int, block: int, same: bool):
    centre = points.mean(axis=0)
    point_blocks = in_blocks(points - centre, block)
    point_rows = in_blocks(jnp.arange(len(points)) + 1, block) - 1  # -1 marks padding

    def one_block(args):
        raw, query_rows = args
        queries_block = raw - centre

        def closer(best, part):
            values, rows = part
            distances = squared_distances(queries_block, values)
            hidden = (rows < 0)[None, :] | ((query_rows[:, None] == rows) & same)
            joined = jnp.concatenate([best[0], jnp.where(hidden, jnp.inf, distances)], axis=1)
            candidates = jnp.concatenate([best[1], jnp.broadcast_to(rows, distances.shape)], axis=1)
            negative, chosen = lax.top_k(-joined, k)
            return (-negative, jnp.take_along_axis(candidates, chosen, axis=1)), None

        start = jnp.full((block, k), jnp.inf, queries.dtype), jnp.full((block, k), -1, point_rows.dtype)
        (_, rows), _ = lax.scan(closer, start, (point_blocks, point_rows))
        # The matrix product loses digits where they matter most: between near-duplicates. Measure the winners again.
        exact = jnp.sum((raw[:, None] - points[rows]) ** 2, axis=-1)
        order = jnp.argsort(exact, axis=1)
        return jnp.sqrt(jnp.take_along_axis(exact, order, axis=1)), jnp.take_along_axis(rows, order, axis=1)

    query_blocks = in_blocks(queries, block), in_blocks(jnp.arange(len(queries)), block)
    distances, rows = lax.map(one_block, query_blocks)
    return distances.reshape(-1, k)[: len(queries)], rows.reshape(-1, k)[: len(queries)]


@follows_dtype
def nearest(queries, points, k: int = 1, block: int = 1_000, same: bool = False):
    """The k nearest of points [M, D] to each of queries [N, D]: Euclidean distances [N, k], ascending, and rows [N, k].

    `same=True` says that both are one set, and row i is not its own neighbour (a duplicate of it is). Ties go to the
    lower row. Memory is O(block^2 + N k) beside the inputs. Planted copies come out at exactly 0. A query
    that is not finite is at a distance that is not, either; UserError for points that are not, since they are near to
    nothing and far from nothing, and every query would have some of them among its neighbours.
    """
    queries, points = jnp.asarray(queries), jnp.asarray(points)
    if not jnp.isfinite(points).all():
        raise UserError("points hold non-finite values; no distance is defined between them")
    if k > len(points) - same:
        raise UserError(f"{k} nearest neighbours need more than {len(points)} points")
    return _nearest(queries, points, k, max(k, min(block, max(len(queries), len(points)))), same)


def radii(points, k: int, block: int = 1_000):
    """Distance from each of points [N, D] to its k-th nearest other point, [N]."""
    return nearest(points, points, k, block, same=True)[0][:, -1]
