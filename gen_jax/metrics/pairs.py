"""How near a made picture is to the wanted one: PSNR of the luma, and for masks Dice and the adapted Rand error.

Pictures are [B, H, W, C] in [-1, 1]. A PSNR says nothing without its colour space and the border that was left out:
both are arguments here and part of a score's name.
"""

from typing import Any, NamedTuple

import numpy as np

from gen_jax.core.errors import UserError

LUMA = (
    np.array([65.481, 128.553, 24.966]) / 219.0
)  # ITU-R BT.601, as MATLAB's rgb2ycbcr: without its range of 16 to 235
FLOOR = 1e-10  # of the squared error, as a share of the range's square: 100 dB


def luma(x: np.ndarray) -> np.ndarray:
    """Colour [..., 3] as [..., 1], over the same range; grey stays. BT.601's weights .299, .587, .114."""
    x = np.asarray(x, np.float64)
    return x if x.shape[-1] == 1 else (x @ LUMA)[..., None]


def cropped(x: np.ndarray, border: int) -> np.ndarray:
    """Without `border` pixels at each side. UserError where nothing would be left."""
    if 2 * border >= min(x.shape[1:3]):
        raise UserError(f"a border of {border} leaves nothing of pictures of {x.shape[2]}×{x.shape[1]} pixels")
    return x[:, border : x.shape[1] - border, border : x.shape[2] - border]


def psnr(x: np.ndarray, y: np.ndarray, data_range: float = 2.0) -> np.ndarray:
    """Peak signal-to-noise ratio of each pair in dB, [B]; 100 at most."""
    if x.shape != y.shape:
        raise UserError(f"PSNR compares pictures of one shape, got {list(x.shape)} and {list(y.shape)}")
    square = np.mean((np.asarray(x, np.float64) - y) ** 2, axis=(1, 2, 3))
    return -10 * np.log10(np.maximum(square / data_range**2, FLOOR))


def dice(made: np.ndarray, true: np.ndarray) -> np.ndarray:
    """2 |A ∩ B| / (|A| + |B|) of each pair of masks [B, ...] (bool), [B]; 1 where both are empty."""
    axes = tuple(range(1, made.ndim))
    both = np.logical_and(made, true).sum(axis=axes)
    sizes = made.astype(bool).sum(axis=axes) + true.astype(bool).sum(axis=axes)
    return np.where(sizes == 0, 1.0, 2 * both / np.maximum(sizes, 1))


class Rand(NamedTuple):
    """Arganda-Carreras et al. 2015: error = 1 - 2 precision recall / (precision + recall)."""

    error: float
    precision: float
    recall: float


def adapted_rand(made: np.ndarray, true: np.ndarray) -> Rand:
    """The adapted Rand error of two segmentations int [H, W], over pixels whose true segment is not 0 (the membrane).

    The definition of scikit-image's `adapted_rand_error`, whose segment 0 of `made` counts as a segment.
    """
    if made.shape != true.shape:
        raise UserError(f"segmentations differ in shape: {list(made.shape)} and {list(true.shape)}")
    inside = np.asarray(true) != 0
    if not inside.any():
        raise UserError("the true segmentation has no segment but 0: there is nothing to compare")
    _, mine = np.unique(np.asarray(made)[inside], return_inverse=True)
    _, theirs = np.unique(np.asarray(true)[inside], return_inverse=True)
    table = np.zeros((mine.max() + 1, theirs.max() + 1))
    np.add.at(table, (mine.ravel(), theirs.ravel()), 1.0)
    pairs: Any = np.sum(table**2) - inside.sum()
    splits = np.sum(table.sum(axis=1) ** 2) - inside.sum()
    merges = np.sum(table.sum(axis=0) ** 2) - inside.sum()
    precision = float(pairs / splits) if splits else 1.0
    recall = float(pairs / merges) if merges else 1.0
    total = precision + recall
    return Rand(1.0 - 2 * precision * recall / total if total else 1.0, precision, recall)


def segments(cells: np.ndarray) -> np.ndarray:
    """Connected regions of a mask [H, W] (bool), numbered from 1; 0 outside. Neighbours share a side."""
    from scipy import ndimage

    numbered, _ = ndimage.label(cells)  # pyright: ignore[reportGeneralTypeIssues]
    return numbered
