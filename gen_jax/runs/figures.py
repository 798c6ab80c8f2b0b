"""Figures of a run: curves and bands of metrics as SVG, codes by class as PNG. How x is drawn, its kind says."""

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.core.lines import say, visible
from gen_jax.data.kinds import canvas
from gen_jax.data.kinds.canvas import INK
from gen_jax.runs.files import atomic_write_bytes, read_bytes

PICTURE = 64 << 20  # bytes that a picture of a run may have
NAMED = 30  # classes that a legend has room for
NUMBER = 0.045  # of the width of a map: what a class's number takes
PROBABILITIES = (0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999)
COLOURS = ("#3b82c4", "#cf5f47", "#3d8f5f", "#8459a8", "#b0862b", "#4b9da9", "#c2618f", "#6b7280")


def save_png(path: str | Path, picture: np.ndarray, scale: int | None = None) -> Path:
    """Write a picture, enlarged `scale` times without smoothing; by default so that small ones can be seen."""
    return atomic_write_bytes(path, canvas.png(picture, scale))


def read_png(path: Path, purpose: str) -> bytes | None:
    """A picture of a run, for a page; None where it is damaged, with a line that says what it is left out of."""
    try:
        content = read_bytes(path, PICTURE)
        opened(content).load()
    except Exception as error:  # Pillow raises nearly anything of damage
        said = str(error) if isinstance(error, UserError) else "it is no PNG that can be read"
        say(f"{path} is left out of {purpose}: {said}")
        return None
    return content


def opened(png: bytes) -> Any:
    """A PNG as a Pillow image, and nothing else: of other formats some are programs."""
    from PIL import Image

    return Image.open(io.BytesIO(png), formats=("PNG",))


def classes(
    path: str | Path,
    points: np.ndarray,
    labels: np.ndarray | None,
    names: tuple[str, ...],
    called: Sequence[str] | None = None,
) -> Path:
    """Points [N, 2], each class int [N] in its own colour with its median marked by its number, as PNG. `names` of the
    axes; `called`: the classes' names, which stand in a legend. Numbers that would lie on one another are moved apart.
    """
    from matplotlib import colormaps

    figure, axes = canvas.figure(6.0, 6.0)
    labels = np.zeros(len(points), np.int64) if labels is None else labels
    kinds = np.unique(labels)
    medians = np.stack([np.median(points[labels == kind], axis=0) for kind in kinds])
    marks = apart(medians, NUMBER * np.ptp(points, axis=0).max())
    for place, kind in enumerate(kinds):
        inside = points[labels == kind]
        colour = colormaps["tab10" if len(kinds) <= 10 else "turbo"](place if len(kinds) <= 10 else place / len(kinds))
        label = f"{kind}  {visible(called[kind])}" if called is not None and kind < len(called) else None
        axes.scatter(inside[:, 0], inside[:, 1], s=9, color=colour, alpha=0.65, linewidths=0, label=label)
        if len(kinds) > 1:
            box = {"boxstyle": "circle,pad=0.2", "facecolor": "white", "edgecolor": colour}
            axes.text(*marks[place], str(kind), ha="center", va="center", fontsize=9, bbox=box)
    if called is not None and 1 < len(kinds) <= NAMED:
        figure.legend(loc="outside right upper", frameon=False, fontsize=8, labelcolor=INK, markerscale=2)
    axes.set(aspect="equal")
    axes.set_xlabel(names[0], fontsize=9, color=INK)
    axes.set_ylabel(names[1], fontsize=9, color=INK)
    return atomic_write_bytes(path, canvas.render(figure, "png", bbox_inches="tight"))


def apart(places: np.ndarray, least: float) -> np.ndarray:
    """Places [N, 2] pushed from one another until no two are nearer than `least`, or 100 rounds have passed."""
    places, n = np.array(places, np.float64), len(places)
    for _ in range(100):
        between = places[:, None] - places
        between[range(n), range(n)] = np.inf
        for i, j in np.argwhere(np.triu((between == 0).all(axis=-1))):  # one place: to be pushed along the first axis
            between[i, j], between[j, i] = (1e-9, 0), (-1e-9, 0)
        far = np.hypot(*np.moveaxis(between, -1, 0))
        if far.min(initial=np.inf) >= 0.999 * least:
            break
        push = (least / np.minimum(far, least) - 1) / 2  # 0 of what is far enough
        between[range(n), range(n)] = 0
        places += (push[..., None] * between).sum(axis=1)
    return places


class Axis(NamedTuple):
    """What the vertical axis measures. `logits`: it has the probabilities that logits stand for at its right."""

    unit: str = ""
    logits: bool = False


def curves(
    metrics: Mapping[str, Any],
    names: Sequence[str],
    title: str = "",
    labels: Sequence[str] | None = None,
    axis: Axis = Axis(),
    styles: Sequence[tuple[int, str]] | None = None,
) -> str:
    """Metrics over steps as SVG text: smoothed lines over their faint raw values, with a legend where they are several.

    Axes and words take the colour of the text around the picture (`currentColor`), so it fits light pages and dark.
    `metrics` maps names to (steps, values) as `log.read_metrics` gives them. Gaps are where values are not finite.
    The scale is logarithmic where all values are positive and span more than three powers of ten. `styles`: for each
    name the number of its colour and its kind of line; by default a colour each.
    """
    figure, axes = canvas.figure(5.6, 2.9)
    shown = []
    looks = styles or [(number, "-") for number in range(len(names))]
    for name, label, (number, line) in zip(names, labels or names, looks, strict=True):
        steps, values = (np.asarray(part) for part in metrics[name])
        values = values.astype(float)
        colour = COLOURS[number % len(COLOURS)]
        smooth = smoothed(values)
        few = slice(None, None, -(-len(values) // 2000) or 1)
        if smooth is not values:
            axes.plot(steps[few], values[few], color=colour, alpha=0.25, linewidth=0.8)
        style = {"marker": "o" if len(values) < 3 else None, "markersize": 3, "linestyle": line}
        axes.plot(steps[few], smooth[few], color=colour, linewidth=1.6, label=label, **style)
        shown.append(values[np.isfinite(values)])
    every = np.concatenate(shown) if shown else np.zeros(0)
    if every.size and every.min() > 0 and every.max() / every.min() > 1000:
        axes.set_yscale("log")
    elif every.size > 20:  # one spike at the start must not flatten the rest
        low, high = np.percentile(every, [0.5, 99.5])
        margin = 0.08 * (high - low)
        if high > low:
            axes.set_ylim(low - margin, high + margin)
    _around_a_constant(axes, every)
    if axis.logits:
        _probabilities(axes)
    _say(axes, title, axis.unit)
    if len(names) > 1:
        figure.legend(
            loc="outside lower left",
            frameon=False,
            fontsize=8,
            labelcolor=INK,
            ncols=min(len(names), 3),
            handlelength=2,
        )
    return canvas.render(figure, "svg").decode().replace(INK, "currentColor")


def _around_a_constant(axes: Any, values: np.ndarray) -> None:
    """Of what never changes, matplotlib would show a few hundredths around it: shown is how far it is from 0."""
    if values.size and np.ptp(values) == 0:
        value = float(values[0])
        low, high = sorted((0.0, 2.0 * value)) if value else (0.0, 1.0)
        axes.set_ylim(low - 0.04 * (high - low), high)


def _say(axes: Any, title: str, unit: str) -> None:
    """What the picture is, and what its axes measure."""
    axes.set_title(title, fontsize=10, color=INK, loc="left")
    axes.set_xlabel("step", fontsize=8, color=INK)
    axes.set_ylabel(unit, fontsize=8, color=INK)
    axes.xaxis.set_major_formatter(_thousands())


def _probabilities(axes: Any) -> None:
    """σ(logit) at the right, at those of the usual probabilities that lie in the picture."""
    low, high = axes.get_ylim()
    known = [p for p in PROBABILITIES if low <= math.log(p / (1 - p)) <= high]
    # Far from 0 they crowd: no two nearer than a tenth of the picture.
    ticks: list[float] = []
    for p in sorted(known, key=lambda p: abs(p - 0.5)):
        at = math.log(p / (1 - p))
        if all(abs(at - math.log(q / (1 - q))) > 0.1 * (high - low) for q in ticks):
            ticks.append(p)
    right = axes.twinx()
    right.set_ylim(low, high)
    right.set_yticks([math.log(p / (1 - p)) for p in ticks], [f"{p:g}" for p in ticks])
    right.tick_params(labelsize=8, colors=INK, length=3)
    right.set_ylabel("probability σ(logit)", fontsize=8, color=INK)
    for side in right.spines.values():
        side.set_visible(False)


def bands(
    lines: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]], title: str = "", unit: str = ""
) -> str:
    """Means with bands over steps as SVG text, for both light and dark pages: name -> (steps, mean, low, high).

    Where an interval is not finite (one seed) there is the line alone. A band that would cover most of the picture says
    nothing but that: it is drawn as its two edges, dotted, where they are in the picture.
    """
    figure, axes = canvas.figure(5.6, 2.9 + 0.16 * len(lines))
    means = np.concatenate([mean[np.isfinite(mean)] for _, mean, *_ in lines.values()])
    reach = float(np.ptp(means)) if len(means) else 0.0
    for number, (name, (steps, mean, low, high)) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        style = ("-", "--", ":", "-.")[number // len(COLOURS) % 4]
        marker = "o" if len(steps) < 3 else None
        axes.plot(steps, mean, color=colour, linewidth=1.6, label=name, linestyle=style, marker=marker, markersize=3)
        if wide(low, high, reach):
            for edge in (low, high):
                axes.plot(steps, edge, color=colour, linewidth=0.8, linestyle=(0, (1, 2)), alpha=0.7)
        else:
            axes.fill_between(steps, low, high, color=colour, alpha=0.15, linewidth=0)
    # The bands of two seeds are many times as wide as all that the means do: they run out of the picture, then.
    if reach > 0:
        bottom, top = axes.get_ylim()
        axes.set_ylim(max(bottom, means.min() - reach), min(top, means.max() + reach))
    _around_a_constant(axes, means)
    _say(axes, title, unit)
    if len(lines) > 1:
        figure.legend(loc="outside lower left", frameon=False, fontsize=7, labelcolor=INK, ncols=1 + (len(lines) > 6))
    return canvas.render(figure, "svg").decode().replace(INK, "currentColor")


def wide(low: np.ndarray, high: np.ndarray, reach: float) -> bool:
    """Whether a band is mostly wider than all that the means do."""
    widths = (high - low)[np.isfinite(high - low)]
    return bool(len(widths)) and float(np.median(widths)) > reach > 0


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


def _thousands() -> Any:
    from matplotlib.ticker import FuncFormatter

    return FuncFormatter(lambda value, _: f"{value / 1000:g}k" if abs(value) >= 1000 else f"{value:g}")
