"""Mode counting where the modes are known: rings and grids of Gaussians, and stacked digits.

The protocol of PacGAN (Lin et al. 2018, arXiv:1712.04086, section 4.1) and, for stacked MNIST, of unrolled GANs (Metz
et al. 2017, arXiv:1611.02163) and VEEGAN (arXiv:1705.07761).
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from gen_jax.metrics.precision import follows_dtype


class ModeReport(NamedTuple):
    """Modes found, fraction of good samples, KL(generated || real) over modes in nats, and the histogram behind it."""

    modes: int
    good: float
    reverse_kl: float
    histogram: np.ndarray  # [modes] samples by nearest mode


@follows_dtype
def nearest_mode(points, centres):
    """(row of the nearest centre [N], distance to it [N]) for points [N, D] and centres [M, D]."""
    points, centres = jnp.asarray(points), jnp.asarray(centres)
    distances = jnp.linalg.norm(points[:, None] - centres, axis=-1)
    return jnp.argmin(distances, axis=1), distances.min(axis=1)


def discrete_kl(p_counts, q_counts) -> float:
    """KL(p || q) in nats of two histograms [M]; infinite where p has mass and q none."""
    p, q = np.asarray(p_counts, np.float64), np.asarray(q_counts, np.float64)
    p, q = p / p.sum(), q / q.sum()
    held = p > 0
    with np.errstate(divide="ignore"):
        return float(np.sum(p[held] * np.log(p[held] / q[held])))


def mixture_modes(points, centres, sigma: float, real_histogram=None) -> ModeReport:
    """Modes, fraction good and reverse KL of generated points [N, D] against mixture centres [M, D].

    A sample is good if it lies within 3 sigma of its nearest centre (Euclidean); a mode counts with at least one good
    sample. The reverse KL assigns *every* sample, good or not, to its nearest mode, and compares with the same
    histogram of real samples (`real_histogram` [M]; uniform if None). Published tables use 2,500 samples.
    """
    rows, distances = map(np.asarray, nearest_mode(points, centres))
    good = distances <= 3 * sigma
    histogram = np.bincount(rows, minlength=len(centres))
    real = np.ones(len(centres)) if real_histogram is None else real_histogram
    return ModeReport(len(np.unique(rows[good])), float(good.mean()), discrete_kl(histogram, real), histogram)


def stacked_modes(probabilities) -> ModeReport:
    """Modes and KL(generated || uniform over 10^C) of stacked digits from class probabilities [N, C, 10].

    Logits serve as well: only the arg max counts. Published tables use C = 3 and 26,000 samples; `good` is 1 here, as
    every sample is assigned. With 26,000 samples even perfect ones have a KL near (10^C - 1) / (2 N) = 0.019.
    """
    digits = np.argmax(np.asarray(probabilities), axis=-1)
    channels, classes = digits.shape[1], probabilities.shape[-1]
    codes = digits @ classes ** np.arange(channels)[::-1]
    histogram = np.bincount(codes, minlength=classes**channels)
    return ModeReport(int((histogram > 0).sum()), 1.0, discrete_kl(histogram, np.ones(len(histogram))), histogram)
