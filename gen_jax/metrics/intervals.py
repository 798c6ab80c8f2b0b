"""Confidence intervals for scores: over training seeds, examples or repeated sampling; paired where the arms are."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from gen_jax.core.errors import UserError


class Interval(NamedTuple):
    """A mean (or other statistic) with its two-sided confidence interval and the number of values behind it."""

    value: float
    low: float
    high: float
    number: int


def _finite(values) -> np.ndarray:
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or len(values) < 2:
        raise UserError(f"an interval needs at least 2 values in one row, got shape {list(values.shape)}")
    if not np.isfinite(values).all():
        raise UserError(
            f"{int((~np.isfinite(values)).sum())} of {len(values)} values are not finite; leave none out silently"
        )
    return values


def t_interval(values, confidence: float = 0.95) -> Interval:
    """Student's interval for the mean of a few independent values (training seeds): mean ± t(n-1) s / sqrt(n)."""
    from scipy.stats import t

    values = _finite(values)
    half = t.ppf((1 + confidence) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    mean = float(values.mean())
    return Interval(mean, float(mean - half), float(mean + half), len(values))


def paired_t_interval(first, second, confidence: float = 0.95) -> Interval:
    """Interval for the mean of first - second, where entry i of both shares its seed (data order, noise, weights)."""
    first, second = _finite(first), _finite(second)
    if len(first) != len(second):
        raise UserError(f"paired values must be as many on both sides, got {len(first)} and {len(second)}")
    return t_interval(first - second, confidence)


def bootstrap_interval(
    *samples,
    statistic: Callable[..., np.ndarray] = np.mean,
    confidence: float = 0.95,
    method: str = "BCa",
    resamples: int = 9_999,
    seed: int = 0,
) -> Interval:
    """Bootstrap interval of `statistic(*samples, axis=...)` over examples; several samples are resampled as pairs.

    "BCa" corrects bias and skew and is right for means, differences and ratios of many examples; take "percentile" for
    statistics that BCa's jackknife cannot handle. With fewer than about 20 values `t_interval` is the better choice.
    Not for FD or KID: resampling with replacement makes duplicates, which bias them (`repeated` instead).
    """
    from scipy.stats import bootstrap

    columns = [_finite(sample) for sample in samples]
    if method not in ("BCa", "percentile", "basic"):
        raise UserError(f"bootstrap method must be BCa, percentile or basic, got {method!r}")
    if len({len(column) for column in columns}) != 1:
        raise UserError("paired samples must have as many values each")
    value = float(statistic(*columns, axis=-1))
    if all(np.ptp(column) == 0 for column in columns):
        return Interval(value, value, value, len(columns[0]))  # BCa is undefined, and the answer is plain
    result = bootstrap(
        columns,
        statistic,
        paired=len(columns) > 1,
        confidence_level=confidence,
        method=method,
        n_resamples=resamples,
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(value, float(result.low), float(result.high), len(columns[0]))


def bootstrap_difference(first, second, **settings) -> Interval:
    """Paired bootstrap interval of mean(first) - mean(second) over the same examples."""

    def difference(a, b, axis):
        return np.mean(a, axis=axis) - np.mean(b, axis=axis)

    return bootstrap_interval(first, second, statistic=difference, **settings)


def repeated(
    evaluate: Callable[[jax.Array], float], key: jax.Array, repeats: int = 5, confidence: float = 0.95
) -> Interval:
    """t-interval of `evaluate(key)` over independent sampling keys of one trained model.

    It covers the noise of drawing samples only, never that of training: seeds of whole runs do.
    """
    return t_interval([float(evaluate(jax.random.fold_in(key, i))) for i in range(repeats)], confidence)


def wilson_interval(correct: int, count: int, confidence: float = 0.95) -> Interval:
    """Wilson's score interval of a proportion: right near 0 and 1, where the normal one is not."""
    from scipy.stats import norm

    if not 0 <= correct <= count or count == 0:
        raise UserError(f"{correct} of {count} is not a proportion")
    z, p = norm.ppf((1 + confidence) / 2), correct / count
    centre = (p + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(p * (1 - p) / count + z**2 / (4 * count**2))
    return Interval(p, float(max(centre - half, 0)), float(min(centre + half, 1)), count)
