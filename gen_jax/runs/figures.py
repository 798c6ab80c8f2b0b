"""Pictures: grids, pairs and labelled rows of images, scatters of points, curves of metrics. PNG, without a display.

Images are float [..., H, W, C] in [-1, 1]; pictures are uint8 [H, W, C] (C of 1, 3 or 4).
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gen_jax.runs.files import atomic_write_bytes

PADDING = 2
TARGET = 560  # pixels: small pictures are enlarged to about this size, so that digits of 28 × 28 can be read
COLOURS = ("#3b82c4", "#cf5f47", "#3d8f5f", "#8459a8", "#b0862b", "#4b9da9", "#c2618f", "#6b7280")
INK = "#30343b"
POINT, REFERENCE = "#c8553d", "#9aa3af"


def to_uint8(images: np.ndarray) -> np.ndarray:
    """[-1, 1] -> 0..255, rounded, clipped; what is not finite becomes black."""
    scaled = np.nan_to_num(np.asarray(images, np.float32), nan=-1.0, posinf=1.0, neginf=-1.0) * 127.5 + 127.5
    return np.clip(np.round(scaled), 0, 255).astype(np.uint8)


def grid(images: np.ndarray, columns: int, padding: int = PADDING) -> np.ndarray:
    """Images [N, H, W, C] row by row in `columns` columns: uint8 [rows·(H+p)+p, columns·(W+p)+p, C].

    The gaps are mid-grey, and so are places without an image.
    """
    pictures = to_uint8(images)
    count, height, width, channels = pictures.shape
    rows = -(-count // columns)
    canvas = np.full(
        (rows * (height + padding) + padding, columns * (width + padding) + padding, channels), 128, np.uint8
    )
    for number, picture in enumerate(pictures):
        top = padding + number // columns * (height + padding)
        left = padding + number % columns * (width + padding)
        canvas[top : top + height, left : left + width] = picture
    return canvas


def pairs(images: np.ndarray, again: np.ndarray, columns: int = 8) -> np.ndarray:
    """Inputs [N, H, W, C] over their reconstructions, in bands of `columns`: a picture."""
    columns = min(columns, len(images))
    bands = []
    for start in range(0, len(images), columns):
        both = np.concatenate(
            [_filled(images[start : start + columns], columns), _filled(again[start : start + columns], columns)]
        )
        bands.append(grid(both, columns))
    gap = np.full((PADDING, *bands[0].shape[1:]), 128, np.uint8)
    stacked = [part for band in bands for part in (gap, band)][1:]
    return np.concatenate(stacked)


def _filled(images: np.ndarray, count: int) -> np.ndarray:
    """Padded with mid-grey images to `count`."""
    return np.concatenate([images, np.zeros((count - len(images), *images.shape[1:]), images.dtype)])


def save_png(path: str | Path, picture: np.ndarray, scale: int | None = None) -> Path:
    """Write a picture, enlarged `scale` times without smoothing; by default so that small ones can be seen."""
    return atomic_write_bytes(path, png(picture, scale))


def png(picture: np.ndarray, scale: int | None = None) -> bytes:
    """The PNG file of a picture; see `save_png`."""
    from PIL import Image

    scale = scale or max(1, TARGET // max(picture.shape[:2]))
    large = picture.repeat(scale, axis=0).repeat(scale, axis=1)
    file = io.BytesIO()
    Image.fromarray(large[..., 0] if large.ndim == 3 and large.shape[-1] == 1 else large).save(
        file,
        "PNG",
        compress_level=3,  # 20 times as fast as the smallest file, and a tenth larger
    )
    return file.getvalue()


def scatter(path: str | Path, points: np.ndarray, reference: np.ndarray | None = None) -> np.ndarray:
    """Points [N, D] over the real ones [M, D] (their first two coordinates), as PNG; returns the picture."""
    figure, axes = _figure(5.0, 5.0)
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
    atomic_write_bytes(path, _render(figure, "png"))
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()  # type: ignore[attr-defined]


def classes(path: str | Path, points: np.ndarray, labels: np.ndarray | None, names: tuple[str, ...]) -> Path:
    """Points [N, 2], each class int [N] in its own colour with its mean marked by its number, as PNG."""
    from matplotlib import colormaps

    figure, axes = _figure(6.0, 6.0)
    labels = np.zeros(len(points), np.int64) if labels is None else labels
    kinds = np.unique(labels)
    for place, kind in enumerate(kinds):
        inside = points[labels == kind]
        colour = colormaps["tab10" if len(kinds) <= 10 else "turbo"](place if len(kinds) <= 10 else place / len(kinds))
        axes.scatter(inside[:, 0], inside[:, 1], s=9, color=colour, alpha=0.65, linewidths=0)
        if len(kinds) > 1:
            box = {"boxstyle": "circle,pad=0.2", "facecolor": "white", "edgecolor": colour}
            axes.text(*np.median(inside, axis=0), str(kind), ha="center", va="center", fontsize=9, bbox=box)
    axes.set(aspect="equal")
    axes.set_xlabel(names[0], fontsize=9, color=INK)
    axes.set_ylabel(names[1], fontsize=9, color=INK)
    return atomic_write_bytes(path, _render(figure, "png", bbox_inches="tight"))


def labelled_rows(path: str | Path, images: np.ndarray, names: Sequence[str]) -> Path:
    """Rows of images [R, F, H, W, C], each with its name at the left (a traversed dimension, a class), as PNG."""
    rows, frames, height = images.shape[:3]
    picture = grid(images.reshape(rows * frames, *images.shape[2:]), frames)
    inches = min(9.0, max(4.0, frames * 0.55))
    figure, axes = _figure(inches + 1.2, inches * picture.shape[0] / picture.shape[1])
    axes.imshow(
        picture.squeeze(-1) if picture.shape[-1] == 1 else picture,
        cmap="gray",
        vmin=0,
        vmax=255,
        interpolation="nearest",
    )
    centres = [PADDING + row * (height + PADDING) + height / 2 for row in range(rows)]
    axes.set_yticks(centres, list(names), fontsize=9)
    axes.set_xticks([])
    axes.grid(False)
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    return atomic_write_bytes(path, _render(figure, "png", bbox_inches="tight"))


def curves(
    metrics: Mapping[str, Any], names: Sequence[str], title: str = "", labels: Sequence[str] | None = None
) -> str:
    """Metrics over steps as SVG text: smoothed lines over their faint raw values, with a legend where they are several.

    Axes and words take the colour of the text around the picture (`currentColor`), so it fits light pages and dark.
    `metrics` maps names to (steps, values) as `log.read_metrics` gives them. Gaps are where values are not finite.
    The scale is logarithmic where all values are positive and span more than three powers of ten.
    """
    figure, axes = _figure(5.6, 2.9)
    shown = []
    for number, (name, label) in enumerate(zip(names, labels or names, strict=True)):
        steps, values = (np.asarray(part) for part in metrics[name])
        values = values.astype(float)
        colour = COLOURS[number % len(COLOURS)]
        smooth = smoothed(values)
        marker = "o" if len(values) < 3 else None
        few = slice(None, None, -(-len(values) // 2000) or 1)
        if smooth is not values:
            axes.plot(steps[few], values[few], color=colour, alpha=0.25, linewidth=0.8)
        axes.plot(steps[few], smooth[few], color=colour, linewidth=1.6, label=label, marker=marker, markersize=3)
        shown.append(values[np.isfinite(values)])
    every = np.concatenate(shown) if shown else np.zeros(0)
    if every.size and every.min() > 0 and every.max() / every.min() > 1000:
        axes.set_yscale("log")
    elif every.size > 20:  # one spike at the start must not flatten the rest
        low, high = np.percentile(every, [0.5, 99.5])
        margin = 0.08 * (high - low)
        if high > low:
            axes.set_ylim(low - margin, high + margin)
    axes.set_title(title, fontsize=10, color=INK, loc="left")
    axes.set_xlabel("step", fontsize=8, color=INK)
    axes.xaxis.set_major_formatter(_thousands())
    if len(names) > 1:
        axes.legend(frameon=False, fontsize=8, labelcolor=INK, ncols=min(len(names), 3), handlelength=1.4)
    return _render(figure, "svg").decode().replace(INK, "currentColor")


def bands(lines: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]], title: str = "") -> str:
    """Means with bands over steps as SVG text, for both light and dark pages: name -> (steps, mean, low, high).

    Where an interval is not finite (one seed) there is the line alone.
    """
    figure, axes = _figure(5.6, 2.9 + 0.16 * len(lines))
    for number, (name, (steps, mean, low, high)) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        style = ("-", "--", ":", "-.")[number // len(COLOURS) % 4]
        marker = "o" if len(steps) < 3 else None
        axes.plot(steps, mean, color=colour, linewidth=1.6, label=name, linestyle=style, marker=marker, markersize=3)
        axes.fill_between(steps, low, high, color=colour, alpha=0.15, linewidth=0)
    # The bands of two seeds are many times as wide as all that the means do: they run out of the picture, then.
    drawn = np.concatenate([mean[np.isfinite(mean)] for _, mean, *_ in lines.values()])
    if len(drawn) and (reach := np.ptp(drawn)) > 0:
        bottom, top = axes.get_ylim()
        axes.set_ylim(max(bottom, drawn.min() - reach), min(top, drawn.max() + reach))
    axes.set_title(title, fontsize=10, color=INK, loc="left")
    axes.set_xlabel("step", fontsize=8, color=INK)
    axes.xaxis.set_major_formatter(_thousands())
    if len(lines) > 1:
        figure.legend(loc="outside lower left", frameon=False, fontsize=7, labelcolor=INK, ncols=1 + (len(lines) > 6))
    return _render(figure, "svg").decode().replace(INK, "currentColor")


def smoothed(values: np.ndarray) -> np.ndarray:
    """A centred running mean over about 1/30 of the curve, ignoring what is not finite; short curves as they are."""
    half = len(values) // 60
    if half < 1:
        return values
    kernel = np.ones(2 * half + 1)
    sound = np.isfinite(values)
    total = np.convolve(np.where(sound, values, 0.0), kernel, "same")
    count = np.convolve(sound.astype(float), kernel, "same")
    return np.where(sound, total / np.maximum(count, 1.0), np.nan)


def _figure(width: float, height: float) -> tuple[Any, Any]:
    """A figure of its own, without pyplot, whose global state would keep every figure of a run in memory."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.tick_params(labelsize=8, colors=INK, length=3)
    axes.grid(alpha=0.18, color=INK, linewidth=0.6)
    axes.set_axisbelow(True)
    for name, side in axes.spines.items():
        side.set_visible(name in ("left", "bottom"))
        side.set_color(INK)
        side.set_alpha(0.4)
    return figure, axes


def _thousands() -> Any:
    from matplotlib.ticker import FuncFormatter

    return FuncFormatter(lambda value, _: f"{value / 1000:g}k" if abs(value) >= 1000 else f"{value:g}")


def _render(figure: Any, kind: str, **options: Any) -> bytes:
    import matplotlib as mpl

    file = io.BytesIO()
    clear = kind == "svg"  # lies on a page, light or dark
    stamp = {"Date": None} if clear else {"Software": None}  # the same picture is the same file
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "gen_jax", "font.family": "sans-serif"}):
        figure.savefig(file, format=kind, transparent=clear, metadata=stamp, **options)
    return file.getvalue()
