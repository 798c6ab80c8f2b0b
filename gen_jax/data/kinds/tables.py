"""Rows of a table: float32 [N, D], a number a column in units of that column's spread; NaN where a value is missing.

Drawn as points are: the first two columns against one another.
"""

from gen_jax.data.kinds.kind import Kind
from gen_jax.data.kinds.points import POINTS, scatter

TABLES = Kind(
    name="rows",
    samples=1000,
    describe=lambda shape: f"rows of {shape[-1]} numbers",
    picture=lambda rows, real, columns: scatter(rows, real),
    pairs=POINTS.pairs,
    rows=POINTS.rows,
    features=POINTS.features,
)
