"""Statistics over training seeds: intervals of a mean, paired differences to a baseline, correction for many arms.

The unit is one training run. Arms of a study see the same data order, noise and initial weights for the same seed, so
that their difference is taken seed by seed: what a seed does to both arms alike cancels. Student's t interval and
paired test (Student 1908), the percentile bootstrap (Efron 1979), and Holm's step-down correction (Holm 1979). All of
it is SciPy's, except Holm's rule.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np


class Interval(NamedTuple):
    """A confidence interval; both ends NaN where there are too few values for one."""

    low: float
    high: float


class Difference(NamedTuple):
    """A mean paired difference with its interval, the p-value of "no difference", and how many pairs it rests on."""

    mean: float
    interval: Interval
    p: float
    pairs: int


NONE = Interval(math.nan, math.nan)


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean in float64; NaN of nothing."""
    return float(np.mean(np.asarray(values, np.float64))) if len(values) else math.nan


def t_interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """Student's t interval of the mean of independent values; NaN of fewer than two."""
    from scipy import stats

    x = np.asarray(values, np.float64)
    if len(x) < 2:
        return NONE
    half = stats.t.ppf(0.5 + level / 2, len(x) - 1) * stats.sem(x)
    return Interval(float(x.mean() - half), float(x.mean() + half))


def bootstrap_interval(values: Sequence[float], level: float = 0.95, resamples: int = 9999, seed: int = 0) -> Interval:
    """Percentile bootstrap interval of the mean; NaN of fewer than two values. The same seed gives the same interval.

    With the handful of seeds that a study has it is too narrow (at n values the spread is short of the factor
    n / (n - 1)); it is shown beside the t interval because it assumes no normal distribution.
    """
    from scipy import stats

    x = np.asarray(values, np.float64)
    if len(x) < 2:
        return NONE
    found = stats.bootstrap(
        (x,),
        np.mean,
        n_resamples=resamples,
        confidence_level=level,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(float(found.low), float(found.high))


def paired(values: Mapping[int, float], baseline: Mapping[int, float], level: float = 0.95) -> Difference:
    """values - baseline, seed by seed (keys are seeds; a seed that only one of them has is left out). Paired t-test."""
    from scipy import stats

    seeds = sorted(values.keys() & baseline.keys())
    differences = np.array([values[seed] - baseline[seed] for seed in seeds], np.float64)
    if len(seeds) < 2:
        return Difference(mean(differences.tolist()), NONE, math.nan, len(seeds))
    if not differences.any():  # two equal arms: 0 / 0 for the test, and no evidence of a difference
        return Difference(0.0, Interval(0.0, 0.0), 1.0, len(seeds))
    if differences.std() <= 1e-12 * abs(differences.mean()):
        # A difference without any spread (accuracies of 1 and .5 in every run) leaves nothing to test it by: the
        # formula's p of 0 would be certainty out of two seeds.
        return Difference(float(differences.mean()), NONE, math.nan, len(seeds))
    p = float(stats.ttest_1samp(differences, 0.0)[1])  # pyright: ignore[reportArgumentType, reportIndexIssue]
    return Difference(float(differences.mean()), t_interval(differences.tolist(), level), p, len(seeds))


def unpaired_interval(values: Sequence[float], baseline: Sequence[float], level: float = 0.95) -> Interval:
    """Welch's t interval of the difference of two means, as if the seeds had nothing in common."""
    from scipy import stats

    if min(len(values), len(baseline)) < 2:
        return NONE
    found = stats.ttest_ind(values, baseline, equal_var=False).confidence_interval(level)
    return Interval(float(found.low), float(found.high))


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
