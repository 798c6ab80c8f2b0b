"""Points: float32 [N, D], not rescaled. Scatters of their first two coordinates."""

import numpy as np

import gen_jax.data.kinds.canvas as canvas
from gen_jax.data.kinds.kind import Kind, Picture

POINT, REFERENCE = "#c8553d", "#9aa3af"


def scatter(points: np.ndarray, reference: np.ndarray | None = None) -> Picture:
    """Points [N, D] over the real ones [M, D] (their first two coordinates)."""
    figure, axes = canvas.figure(5.0, 5.0)
    for values, colour, label in ((reference, REFERENCE, "data"), (points, POINT, "samples")):
        if values is not None:
            second = values[:, 1] if values.shape[1] > 1 else np.zeros(len(values))
            axes.scatter(values[:, 0], second, s=4, color=colour, alpha=0.5, linewidths=0, label=label)
    extent = (points if reference is None else reference)[:, :2]
    extent = extent[np.isfinite(extent).all(1)] if np.isfinite(extent).all(1).any() else np.array([[-1.0, 1.0]])
    low, high = extent.min(), extent.max()  # of the data, so that pictures of one run share their axes
    margin = 0.15 * max(high - low, 1e-6)
    axes.set(xlim=(low - margin, high + margin), ylim=(low - margin, high + margin), aspect="equal")
    if reference is not None:
        axes.legend(loc="upper right", markerscale=3, frameon=False, fontsize=8)
    file = canvas.render(figure, "png")
    return Picture(canvas.pixels(figure), file)


POINTS = Kind(
    name="points",
    samples=2500,  # what the protocol for rings and grids of Gaussians counts
    describe=lambda shape: "points",
    picture=lambda points, real, columns: scatter(points, real),
    pairs=lambda points, again: scatter(again, points),
    rows=lambda points, names: scatter(points.reshape(-1, points.shape[-1])),
    features=lambda shape, classes: "points",
)
