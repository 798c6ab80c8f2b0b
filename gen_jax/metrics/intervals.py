"""Confidence intervals for scores: over training seeds, examples or repeated sampling; paired where the arms are.

For the tables of a study the unit is one training run. Arms see the same data order, noise and initial weights for the
same seed, so that their difference is taken seed by seed: what a seed does to both arms alike cancels. Student's t
interval and paired test (Student 1908), the bootstrap (Efron 1979), Wilson's score interval (1927), Holm's step-down
correction (Holm 1979).
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from gen_jax.core.errors import UserError


class Interval(NamedTuple):
    """A mean (or other statistic) with its two-sided confidence interval and the number of values behind it.

    Both ends are NaN where there are fewer than two values: one run has no interval.
    """

    value: float
    low: float
    high: float
    number: int

    @property
    def ends(self) -> tuple[float, float]:
        return self.low, self.high


class Difference(NamedTuple):
    """A mean paired difference with its interval, the p-value of "no difference", and how many pairs it rests on."""

    mean: float
    interval: Interval
    p: float
    pairs: int


def mean(values: Sequence[float] | np.ndarray) -> float:
    """The arithmetic mean in float64; NaN of nothing."""
    return float(np.mean(np.asarray(values, np.float64))) if len(values) else math.nan


def _none(values: np.ndarray) -> Interval:
    return Interval(mean(values), math.nan, math.nan, len(values))


def _finite(values) -> np.ndarray:
    values = np.asarray(values, np.float64)
    if values.ndim != 1:
        raise UserError(f"an interval is of values in one row, got shape {list(values.shape)}")
    if not np.isfinite(values).all():
        raise UserError(
            f"{int((~np.isfinite(values)).sum())} of {len(values)} values are not finite; leave none out silently"
        )
    return values


def t_interval(values, confidence: float = 0.95) -> Interval:
    """Student's interval for the mean of a few independent values (training seeds): mean ± t(n-1) s / sqrt(n)."""
    from scipy.stats import t

    values = _finite(values)
    if len(values) < 2:
        return _none(values)
    half = t.ppf((1 + confidence) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    centre = float(values.mean())
    return Interval(centre, float(centre - half), float(centre + half), len(values))


def bootstrap_interval(
    values, confidence: float = 0.95, method: str = "BCa", resamples: int = 9_999, seed: int = 0
) -> Interval:
    """Bootstrap interval of the mean. The same seed gives the same interval.

    "BCa" corrects bias and skew and is right for many examples. With fewer than about 20 values `t_interval` is the
    better choice: "percentile", which tables of studies show beside it because it assumes no normal distribution, is
    too narrow there (at n values the spread is short of the factor n / (n - 1)). Not for FD or KID: resampling with
    replacement makes duplicates, which bias them; repeated sample sets under `t_interval` do not.
    """
    from scipy.stats import bootstrap

    values = _finite(values)
    if method not in ("BCa", "percentile", "basic"):
        raise UserError(f"bootstrap method must be BCa, percentile or basic, got {method!r}")
    if len(values) < 2:
        return _none(values)
    centre = float(np.mean(values))
    if np.ptp(values) == 0:
        return Interval(centre, centre, centre, len(values))  # BCa is undefined, and the answer is plain
    found = bootstrap(
        (values,),
        np.mean,
        confidence_level=confidence,
        method=method,
        n_resamples=resamples,
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(centre, float(found.low), float(found.high), len(values))


def paired(values: Mapping[int, float], baseline: Mapping[int, float], confidence: float = 0.95) -> Difference:
    """values - baseline, seed by seed (keys are seeds; a seed that only one of them has is left out). Paired t-test."""
    from scipy import stats

    seeds = sorted(values.keys() & baseline.keys())
    differences = np.array([values[seed] - baseline[seed] for seed in seeds], np.float64)
    if len(seeds) < 2:
        return Difference(mean(differences), _none(differences), math.nan, len(seeds))
    if not differences.any():  # two equal arms: 0 / 0 for the test, and no evidence of a difference
        return Difference(0.0, Interval(0.0, 0.0, 0.0, len(seeds)), 1.0, len(seeds))
    if differences.std() <= 1e-12 * abs(differences.mean()):
        # A difference without any spread (accuracies of 1 and .5 in every run) leaves nothing to test it by: the
        # formula's p of 0 would be certainty out of two seeds.
        return Difference(float(differences.mean()), _none(differences), math.nan, len(seeds))
    p = float(stats.ttest_1samp(differences, 0.0)[1])  # pyright: ignore[reportArgumentType, reportIndexIssue]
    return Difference(float(differences.mean()), t_interval(differences, confidence), p, len(seeds))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given: reject at level a where the adjusted value is at most a.

    NaN (no test was possible) stays NaN and does not count as a test.
    """
    adjusted = [math.nan] * len(p_values)
    tested = sorted((p, i) for i, p in enumerate(p_values) if not math.isnan(p))
    largest = 0.0
    for rank, (p, i) in enumerate(tested):
        largest = max(largest, min(1.0, p * (len(tested) - rank)))
        adjusted[i] = largest
    return adjusted


def wilson_interval(correct: int, count: int, confidence: float = 0.95) -> Interval:
    """Wilson's score interval of a proportion: right near 0 and 1, where the normal one is not."""
    from scipy.stats import norm

    if not 0 <= correct <= count or count == 0:
        raise UserError(f"{correct} of {count} is not a proportion")
    z, p = norm.ppf((1 + confidence) / 2), correct / count
    centre = (p + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(p * (1 - p) / count + z**2 / (4 * count**2))
    return Interval(p, float(max(centre - half, 0)), float(min(centre + half, 1)), count)
