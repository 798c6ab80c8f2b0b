"""Drawing without a display: figures that leave nothing behind, and PNG files that are the same for equal pictures."""

import io
from typing import Any

import numpy as np

TARGET = 560  # pixels: small pictures are enlarged to about this size, so that digits of 28 × 28 can be read
INK = "#30343b"


def png(picture: np.ndarray, scale: int | None = None) -> bytes:
    """The PNG file of uint8 [H, W, C], enlarged `scale` times without smoothing; by default so that it can be seen."""
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


def figure(width: float, height: float) -> tuple[Any, Any]:
    """A figure of its own, without pyplot, whose global state would keep every figure of a run in memory."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    made = Figure(figsize=(width, height), dpi=110, layout="constrained")
    FigureCanvasAgg(made)
    axes = made.add_subplot()
    axes.tick_params(labelsize=8, colors=INK, length=3)
    axes.grid(alpha=0.18, color=INK, linewidth=0.6)
    axes.set_axisbelow(True)
    for name, side in axes.spines.items():
        side.set_visible(name in ("left", "bottom"))
        side.set_color(INK)
        side.set_alpha(0.4)
    return made, axes


def render(figure: Any, kind: str, **options: Any) -> bytes:
    """The file of a figure, as "png" or as a transparent "svg"."""
    import matplotlib as mpl

    file = io.BytesIO()
    clear = kind == "svg"  # lies on a page, light or dark
    stamp = {"Date": None} if clear else {"Software": None}  # the same picture is the same file
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "gen_jax", "font.family": "sans-serif"}):
        figure.savefig(file, format=kind, transparent=clear, metadata=stamp, **options)
    return file.getvalue()


def pixels(figure: Any) -> np.ndarray:
    """What was drawn last of a figure: uint8 [H, W, 3]."""
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()
