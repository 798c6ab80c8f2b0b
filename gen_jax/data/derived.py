"""Paired images made of single ones: each image is what is wanted ("x"), and what can be made of it what is given
("input").

    shrunk:SOURCE    a quarter as many rows and columns, by the bicubic filter that super-resolution is measured with
    edges:SOURCE     the outlines: Sobel's slope, black where there is none

Inputs are made as images are read, and keep to themselves: nothing of another image is in them.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.data import source
from gen_jax.data.kinds import need_images
from gen_jax.data.source import Source, Split

FACTOR = 4


def shrunk(base: Source, factor: int = FACTOR) -> Source:
    """Images beside themselves made `factor` times smaller. UserError where that leaves no whole pixels."""
    need_images(base, "shrunk:", "use a source of images")
    height, width, _ = base.shape
    if height % factor or width % factor:
        raise UserError(
            f"shrunk:{base.name}: {width}×{height} pixels are no multiple of {factor}; choose one with --image-size"
        )
    rows, columns = bicubic(height, factor), bicubic(width, factor)

    def smaller(images: np.ndarray) -> np.ndarray:
        found = np.einsum("rh,nhwk,cw->nrck", rows, images.astype(np.float64), columns)
        return np.clip(np.rint(found), 0, 255).astype(np.uint8)

    return _with(base, "shrunk", smaller, f"given at {width // factor}×{height // factor}")


def edges(base: Source) -> Source:
    """Images beside their outlines: the length of Sobel's slope of the mean over channels, 255 where it is steepest
    possible in one direction."""
    need_images(base, "edges:", "use a source of images")

    def outlines(images: np.ndarray) -> np.ndarray:
        grey = images.astype(np.float64).mean(axis=-1)
        wide = np.pad(grey, ((0, 0), (1, 1), (1, 1)), mode="edge")
        smooth_rows = wide[:, :-2] + 2 * wide[:, 1:-1] + wide[:, 2:]
        smooth_columns = wide[:, :, :-2] + 2 * wide[:, :, 1:-1] + wide[:, :, 2:]
        across = (smooth_rows[:, :, 2:] - smooth_rows[:, :, :-2]) / 4
        down = (smooth_columns[:, 2:] - smooth_columns[:, :-2]) / 4
        return np.clip(np.rint(np.hypot(across, down)), 0, 255).astype(np.uint8)[..., None]

    return _with(base, "edges", outlines, "given as outlines")


def bicubic(size: int, factor: int) -> np.ndarray:
    """The matrix [size / factor, size] that shrinks a line of pixels by the cubic filter (a = -1/2) stretched `factor`
    times, normalised at the border: Pillow's BICUBIC, MATLAB's imresize."""
    centres = (np.arange(size // factor) + 0.5) * factor
    distance = np.abs(np.arange(size) + 0.5 - centres[:, None]) / factor
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    weights = np.where(distance < 1, near, np.where(distance < 2, far, 0.0))
    return weights / weights.sum(axis=1, keepdims=True)


def _with(base: Source, kind: str, make: Callable[[np.ndarray], np.ndarray], note: str) -> Source:
    def split(of: Split) -> Split:
        def read(indices: np.ndarray) -> dict[str, np.ndarray]:
            raw = of.read(indices)
            return {**raw, "input": make(raw["x"])}

        extra = make(of.read(np.zeros(1, np.int64))["x"]).nbytes * of.size
        if of.arrays is None:
            return dataclasses.replace(of, read=read, nbytes=of.nbytes + extra)
        blocks = [make(np.asarray(of.arrays["x"][start : start + 1024])) for start in range(0, of.size, 1024)]
        made = source.in_memory({**of.arrays, "input": np.concatenate(blocks)})
        return dataclasses.replace(made, files=of.files)

    return dataclasses.replace(
        base,
        name=f"{kind}:{base.name}",
        fingerprint=source.digest(kind, 1, base.fingerprint),
        train=split(base.train),
        test=split(base.test),
        others={},
        notes=(*base.notes, note),
    )
