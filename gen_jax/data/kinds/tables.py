"""Rows of a table: float32 [N, D], a number a column in units of that column's spread; NaN where a value is missing.

Drawn as points are: the first two columns against one another. Where some columns hold categories, as a number each
(`data.columns`), a picture has a panel a column: how often each value comes in samples and in the data. Axes have the
columns' names and units where the columns are known.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

import gen_jax.data.kinds.canvas as canvas
from gen_jax.core.lines import visible
from gen_jax.data.kinds.kind import Kind, Picture
from gen_jax.data.kinds.points import POINT, POINTS, REFERENCE, scatter

PANELS, ACROSS, FEW, BINS = 16, 4, 60, 30  # columns drawn, in a row; values up to which each has a bar of its own
LONGEST, TICKS, ROOM = 22, 5, 30  # characters of a title; places on an axis that are named, and characters of all names


class Column(Protocol):
    """As much of a table's column as a picture needs: value = mean + scale · feature, of so many decimals."""

    @property
    def name(self) -> str: ...
    @property
    def mean(self) -> float: ...
    @property
    def scale(self) -> float: ...
    @property
    def decimals(self) -> int | None: ...
    @property
    def categories(self) -> tuple[str, ...]: ...


def marginals(rows: np.ndarray, reference: np.ndarray | None, columns: Sequence[Column] = ()) -> Picture:
    """Shares of values, a panel a column, of rows [N, D] beside the real ones [M, D]; what is missing is left out."""
    count = min(rows.shape[1], PANELS)
    down = -(-count // ACROSS)
    figure, _ = canvas.figure(2.4 * ACROSS, 1.7 * down + 0.3)
    figure.clear()
    for place in range(count):
        column = columns[place] if columns else None
        axes = figure.add_subplot(down, ACROSS, place + 1)
        both = [_in_units(part[:, place], column) for part in (rows, reference) if part is not None]
        both = [part[np.isfinite(part)] for part in both]
        values = np.unique(both[-1])
        if len(values) <= FEW:
            edges = np.append(values, values[-1:] + 1) if len(values) else np.array([0.0, 1.0])
            places = np.arange(len(edges)) - 0.5
            _name_ticks(axes, edges[:-1], column)
        else:
            low, high = np.quantile(both[-1], (0.005, 0.995))
            edges = places = np.linspace(low, high, BINS + 1)
            axes.locator_params(axis="x", nbins=TICKS - 1, integer=column is not None and column.decimals == 0)
            axes.xaxis.set_major_formatter(lambda value, _: f"{value + 0.0:.6g}")  # never "-0"
        for part, colour, label in zip(both, (POINT, REFERENCE), ("samples", "data"), strict=False):
            heights = np.histogram(part, edges)[0] / max(len(part), 1)
            axes.stairs(heights, places, color=colour, fill=colour == REFERENCE, alpha=0.8, label=label)
        axes.set_title(_short(column.name if column else f"column {place}", LONGEST), fontsize=7)
        axes.tick_params(labelsize=5.5, length=2, colors=canvas.INK)
        axes.locator_params(axis="y", nbins=4)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    figure.supylabel("share of rows", fontsize=7, color=canvas.INK)
    if reference is not None:
        figure.legend(
            *figure.axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=2, frameon=False, fontsize=8
        )
    file = canvas.render(figure, "png")
    return Picture(canvas.pixels(figure), file)


def plane(rows: np.ndarray, reference: np.ndarray | None, columns: Sequence[Column] = ()) -> Picture:
    """The first two columns of rows [N, D] against one another, over the real ones."""
    if not columns:
        return scatter(rows, reference)
    parts = [
        None if part is None else np.stack([_in_units(part[:, i], column) for i, column in enumerate(columns[:2])], 1)
        for part in (rows, reference)
    ]
    assert parts[0] is not None
    return scatter(parts[0], parts[1], tuple(_short(column.name, 2 * LONGEST) for column in columns[:2]))


def _in_units(values: np.ndarray, column: Column | None) -> np.ndarray:
    found = np.asarray(values, np.float64)
    if column is None or column.categories:
        return found
    found = column.mean + column.scale * found
    return found if column.decimals is None else found.round(column.decimals)  # as the table writes them


def _name_ticks(axes: Any, values: np.ndarray, column: Column | None) -> None:
    """The bars' values, or categories, below as many of them as there is room for."""
    chosen = np.unique(np.linspace(0, max(len(values) - 1, 0), min(len(values), TICKS)).astype(int))
    names = [f"{values[i] + 0.0:.6g}" for i in chosen]
    if column and column.categories:
        known = range(len(column.categories))
        names = [_short(column.categories[int(c)], 9) if (c := values[i]) in known else "other" for i in chosen]
    slanted = sum(map(len, names)) > ROOM
    axes.set_xticks(chosen, names, **({"rotation": 25, "ha": "right", "rotation_mode": "anchor"} if slanted else {}))


def _short(text: str, most: int) -> str:
    """A name as a picture shows it: matplotlib would read what stands between dollars as mathematics."""
    text = visible(text).replace("$", r"\$")
    return text if len(text) <= most else f"{text[: most - 1]}…"


TABLES = Kind(
    name="rows",
    samples=1000,
    describe=lambda shape: f"rows of {shape[-1]} numbers",
    picture=lambda rows, real, columns: plane(rows, real),
    pairs=POINTS.pairs,
    rows=POINTS.rows,
    features=POINTS.features,
)

MIXED = TABLES._replace(
    mixed=True,
    describe=lambda shape: f"rows of {shape[-1]} columns",
    picture=lambda rows, real, columns: marginals(rows, real),
    rows=lambda rows, names: marginals(rows.reshape(-1, rows.shape[-1]), None),
    pairs=lambda rows, again: marginals(again, rows),
    signs=lambda x: np.nan_to_num(np.asarray(x, np.float32)),
)


def of_columns(kind: Kind, columns: Sequence[Column]) -> Kind:
    """TABLES or MIXED, whose pictures have the names and units of these columns."""
    draw = marginals if kind.mixed else plane
    return kind._replace(
        picture=lambda rows, real, across: draw(rows, real, columns),
        rows=lambda rows, names: draw(rows.reshape(-1, rows.shape[-1]), None, columns),
        pairs=lambda rows, again: draw(again, rows, columns),
    )
