"""Images: float [..., H, W, C] in [-1, 1], C of 1 or 3. Grids, pairs and labelled rows of them."""

from collections.abc import Sequence

import numpy as np

import gen_jax.data.kinds.canvas as canvas
from gen_jax.data.kinds.kind import Kind, Picture

PADDING = 2
SIDE = 16  # pixels that images are pooled to, at most, where neighbours are looked for
LARGEST = 4096  # numbers in a feature vector whose covariance is still taken


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


def labelled_rows(images: np.ndarray, names: Sequence[str]) -> Picture:
    """Rows of images [R, F, H, W, C], each with its name at the left (a traversed dimension, a class), drawn."""
    rows, frames, height = images.shape[:3]
    picture = grid(images.reshape(rows * frames, *images.shape[2:]), frames)
    inches = min(9.0, max(4.0, frames * 0.55))
    figure, axes = canvas.figure(inches + 1.2, inches * picture.shape[0] / picture.shape[1])
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
    file = canvas.render(figure, "png", bbox_inches="tight")
    return Picture(canvas.pixels(figure), file)


def pooled(images: np.ndarray) -> np.ndarray:
    """Images [N, H, W, C] in [-1, 1] as means over squares, at most `SIDE` a side: float32 [N, F]."""
    images = np.nan_to_num(images.astype(np.float32))
    step = -(-max(images.shape[1:3]) // SIDE)
    short = [(0, 0), (0, -images.shape[1] % step), (0, -images.shape[2] % step), (0, 0)]
    images = np.pad(images, short, mode="edge")
    count, height, width, channels = images.shape
    squares = images.reshape(count, height // step, step, width // step, step, channels)
    return squares.mean(axis=(2, 4)).reshape(count, -1)


def _of(pixels: np.ndarray) -> Picture:
    return Picture(pixels, canvas.png(pixels))


def _picture(images: np.ndarray, real: np.ndarray, columns: int | None) -> Picture:
    return _of(grid(images, columns or int(np.ceil(np.sqrt(len(images))))))


def _features(shape: tuple[int, ...], classes: int | None) -> str:
    """lenet where they have classes to tell apart; else pixels, or their principal components where there are many."""
    if classes is not None and classes > 1:
        return "lenet"
    return "pixels" if int(np.prod(shape)) <= LARGEST else "pca"


IMAGES = Kind(
    name="images",
    samples=64,
    describe=lambda shape: f"images with {shape[-1]} channels",
    picture=_picture,
    pairs=lambda images, again: _of(pairs(images, again)),
    rows=labelled_rows,
    features=_features,
    scores=("fd", "precision", "recall", "density", "coverage"),
    signs=pooled,
)
