"""Rows of a table: float32 [N, D], a number a column in units of that column's spread; NaN where a value is missing.

Drawn as points are: the first two columns against one another. Where some columns hold categories, as a number each
(`data.columns`), a picture has a panel a column: how often each value comes in samples and in the data.
"""

import numpy as np

import gen_jax.data.kinds.canvas as canvas
from gen_jax.data.kinds.kind import Kind, Picture
from gen_jax.data.kinds.points import POINT, POINTS, REFERENCE, scatter

PANELS, ACROSS, FEW, BINS = 16, 4, 60, 30  # columns drawn, in a row; values up to which each has a bar of its own


def marginals(rows: np.ndarray, reference: np.ndarray | None) -> Picture:
    """Shares of values, a panel a column, of rows [N, D] beside the real ones [M, D]; what is missing is left out."""
    count = min(rows.shape[1], PANELS)
    down = -(-count // ACROSS)
    figure, _ = canvas.figure(2.2 * ACROSS, 1.6 * down)
    figure.clear()
    for place in range(count):
        axes = figure.add_subplot(down, ACROSS, place + 1)
        both = [np.asarray(part[:, place], np.float64) for part in (rows, reference) if part is not None]
        both = [part[np.isfinite(part)] for part in both]
        values = np.unique(both[-1])
        if len(values) <= FEW:
            edges = np.append(values, values[-1:] + 1) if len(values) else np.array([0.0, 1.0])
        else:
            low, high = np.quantile(both[-1], (0.005, 0.995))
            edges = np.linspace(low, high, BINS + 1)
        for part, colour in zip(both, (POINT, REFERENCE), strict=False):
            heights = np.histogram(part, edges)[0] / max(len(part), 1)
            axes.stairs(heights, np.arange(len(edges)), color=colour, fill=colour == REFERENCE, alpha=0.8)
        axes.set_title(f"column {place}", fontsize=6)
        axes.tick_params(labelsize=5)
    file = canvas.render(figure, "png")
    return Picture(canvas.pixels(figure), file)


TABLES = Kind(
    name="rows",
    samples=1000,
    describe=lambda shape: f"rows of {shape[-1]} numbers",
    picture=lambda rows, real, columns: scatter(rows, real),
    pairs=POINTS.pairs,
    rows=POINTS.rows,
    features=POINTS.features,
)

MIXED = TABLES._replace(
    describe=lambda shape: f"rows of {shape[-1]} columns",
    picture=lambda rows, real, columns: marginals(rows, real),
    rows=lambda rows, names: marginals(rows.reshape(-1, rows.shape[-1]), None),
    pairs=lambda rows, again: marginals(again, rows),
    signs=lambda x: np.nan_to_num(np.asarray(x, np.float32)),
)
