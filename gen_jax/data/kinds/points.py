"""Points: float32 [N, D], not rescaled. Scatters of their first two coordinates."""

import numpy as np

import gen_jax.data.kinds.canvas as canvas
from gen_jax.data.kinds.kind import Kind, Picture

POINT, REFERENCE = "#c8553d", "#9aa3af"


def scatter(points: np.ndarray, reference: np.ndarray | None = None, names: tuple[str, ...] = ()) -> Picture:
    """Points [N, D] over the real ones [M, D] (their first two coordinates). `names`: of coordinates that have units of
    their own each, and so a scale of their own, too."""
    figure, axes = canvas.figure(5.0, 5.0)
    for values, colour, label in ((reference, REFERENCE, "data"), (points, POINT, "samples")):
        if values is not None:
            second = values[:, 1] if values.shape[1] > 1 else np.zeros(len(values))
            axes.scatter(values[:, 0], second, s=4, color=colour, alpha=0.5, linewidths=0, label=label)
    extent = (points if reference is None else reference)[:, :2]
    extent = extent[np.isfinite(extent).all(1)] if np.isfinite(extent).all(1).any() else np.array([[-1.0, 1.0]])
    # Limits are those of the data, so that pictures of one run share their axes.
    if names:
        x, y = extent[:, 0], extent[:, -1] if extent.shape[1] > 1 else np.zeros(1)
        axes.set(xlim=_around(x), ylim=_around(y))
        axes.set_xlabel(names[0], fontsize=9, color=canvas.INK)
        axes.set_ylabel(names[1] if len(names) > 1 else "", fontsize=9, color=canvas.INK)
    else:
        axes.set(xlim=_around(extent), ylim=_around(extent), aspect="equal")
    if reference is not None:
        axes.legend(loc="upper right", markerscale=3, frameon=False, fontsize=8)
    file = canvas.render(figure, "png")
    return Picture(canvas.pixels(figure), file)


def _around(values: np.ndarray) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    margin = 0.15 * max(high - low, 1e-6)
    return low - margin, high + margin


POINTS = Kind(
    name="points",
    samples=2500,  # what the protocol for rings and grids of Gaussians counts
    describe=lambda shape: "points",
    picture=lambda points, real, columns: scatter(points, real),
    pairs=lambda points, again: scatter(again, points),
    rows=lambda points, names: scatter(points.reshape(-1, points.shape[-1])),
    features=lambda shape, classes: "points",
)
