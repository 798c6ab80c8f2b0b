"""Structural similarity, its multi-scale form, PSNR, and diversity as mean pairwise MS-SSIM.

SSIM: Wang et al. 2004, Gaussian window of sigma 1.5 (11 x 11). MS-SSIM: Wang, Simoncelli & Bovik 2003. Diversity: Odena
et al. 2017, arXiv:1610.09585. Images are [B, H, W, C]; `data_range` is the width of their range (2 for [-1, 1]).
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.metrics.precision import follows_dtype

WINDOW, SIGMA = 11, 1.5
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def _blur(images, window: int):
    """Mean under a Gaussian window, valid positions only: [B, H, W, C] -> [B, H - window + 1, W - window + 1, C]."""
    offsets = np.arange(window) - (window - 1) / 2
    taps = np.exp(-0.5 * (offsets / SIGMA) ** 2)
    taps = (taps / taps.sum()).tolist()  # separable: 2 x 11 taps, not 121
    height, width = (size - window + 1 for size in images.shape[1:3])
    rows = functools.reduce(jnp.add, (t * images[:, i : i + height] for i, t in enumerate(taps)))
    return functools.reduce(jnp.add, (t * rows[:, :, i : i + width] for i, t in enumerate(taps)))


def _maps(x, y, data_range: float, window: int):
    """Maps of SSIM and of its contrast-structure factor, over the positions where the whole window fits."""
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    mean_x, mean_y = _blur(x, window), _blur(y, window)
    variances = _blur(x * x, window) - mean_x**2 + _blur(y * y, window) - mean_y**2
    contrast = (2 * (_blur(x * y, window) - mean_x * mean_y) + c2) / (variances + c2)
    return contrast * (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1), contrast


def _check(x, y) -> None:
    if x.shape != y.shape or x.ndim != 4:
        raise UserError(f"similarity takes two sets of images [B, H, W, C], got {list(x.shape)} and {list(y.shape)}")


@follows_dtype
def ssim(x, y, data_range: float = 2.0):
    """SSIM of each pair, [B]: scikit-image's with gaussian_weights=True, use_sample_covariance=False (its crop of
    5).
    """
    x, y = jnp.asarray(x), jnp.asarray(y)
    _check(x, y)
    if min(x.shape[1:3]) < WINDOW:
        raise UserError(f"SSIM's window of {WINDOW} does not fit images of {x.shape[1]} x {x.shape[2]}")
    return _maps(x, y, data_range, WINDOW)[0].mean(axis=(1, 2, 3))


@follows_dtype
def ms_ssim(x, y, data_range: float = 2.0, weights=SCALE_WEIGHTS, window: int = WINDOW):
    """MS-SSIM of each pair, [B], in [0, 1].

    As many scales as `weights` has; images need window * 2^(scales - 1) pixels (176 for the defaults). Smaller ones
    want fewer weights (`scales_for`), and the score must then say so. Negative factors count as 0.
    """
    x, y = jnp.asarray(x), jnp.asarray(y)
    _check(x, y)
    if min(x.shape[1:3]) < window * 2 ** (len(weights) - 1):
        raise UserError(
            f"MS-SSIM with {len(weights)} scales and a window of {window} needs images of "
            f"{window * 2 ** (len(weights) - 1)} pixels, got {x.shape[1]} x {x.shape[2]}; give fewer weights"
        )
    result = jnp.ones(len(x), x.dtype)
    for scale, weight in enumerate(weights):
        whole, contrast = _maps(x, y, data_range, window)
        factor = whole if scale == len(weights) - 1 else contrast
        # The mean over channels of each channel's product would be another convention; here they are pooled first.
        result = result * jnp.maximum(factor.mean(axis=(1, 2, 3)), 0) ** weight
        x, y = (_halved(images) for images in (x, y))
    return result


def _halved(images):
    batch, height, width, channels = images.shape
    even = images[:, : height // 2 * 2, : width // 2 * 2]
    return even.reshape(batch, height // 2, 2, width // 2, 2, channels).mean(axis=(2, 4))


def scales_for(size: int, window: int = WINDOW) -> tuple[float, ...]:
    """The leading standard weights that images of this size allow, rescaled to sum to 1 (28 pixels: two scales)."""
    if size < window:
        raise UserError(f"no window of {window} fits images of {size} pixels")
    count = min(len(SCALE_WEIGHTS), int(np.log2(size / window)) + 1)
    return tuple(float(w) for w in np.array(SCALE_WEIGHTS[:count]) / sum(SCALE_WEIGHTS[:count]))


def diversity(images, pairs: int = 1_000, seed: int = 0, data_range: float = 2.0, block: int = 100) -> float:
    """Mean MS-SSIM over random pairs of different images [N, H, W, C]: near 1 means collapse. Compare with real
    data's.
    """
    images = np.asarray(images)
    if len(images) < 2:
        raise UserError("diversity needs at least two images")
    rng = np.random.default_rng(seed)
    first = rng.integers(len(images), size=pairs)
    second = (first + rng.integers(1, len(images), size=pairs)) % len(images)
    weights = scales_for(min(images.shape[1:3]))
    score = jax.jit(ms_ssim, static_argnames=("data_range", "weights"))
    blocks = [(first[i : i + block], second[i : i + block]) for i in range(0, pairs, block)]
    return float(
        np.concatenate(
            [np.asarray(score(images[a], images[b], data_range=data_range, weights=weights)) for a, b in blocks]
        ).mean()
    )
