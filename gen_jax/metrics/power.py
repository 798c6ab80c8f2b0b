"""What a number of training seeds can decide: power of the paired t-test (Student 1908; Cohen 1988, chapter 2).

The test is that of `intervals.paired`: two-sided, at 5 %, on differences seed by seed.
"""

import math

import numpy as np

POWER = 0.8  # what is called enough (Cohen 1988)
MOST = 10_000  # seeds
QUANTILES = 10_000


def power(seeds: int, difference: float, spread: float, level: float = 0.05) -> float:
    """The chance that the paired t-test of `seeds` differences finds a true mean `difference`, whose standard deviation
    over seeds is `spread`, at this level. NaN with fewer than two seeds.
    """
    from scipy.stats import chi2, norm, t

    if seeds < 2 or not math.isfinite(difference) or not math.isfinite(spread):
        return math.nan
    if difference == 0:
        return level
    if spread == 0:
        return 1.0
    edge = t.ppf(1 - level / 2, seeds - 1)
    shift = abs(difference) / spread * math.sqrt(seeds)
    # Over the quantiles of the measured spread, given which the mean is normal: SciPy's noncentral t is NaN far out.
    measured = np.sqrt(chi2.ppf((np.arange(QUANTILES) + 0.5) / QUANTILES, seeds - 1) / (seeds - 1))
    return float(np.mean(norm.sf(edge * measured - shift) + norm.cdf(-edge * measured - shift)))


def seeds_for(difference: float, spread: float, enough: float = POWER, level: float = 0.05) -> int | None:
    """The fewest seeds that find this difference with power `enough`; None where `MOST` do not."""
    low, high = 2, 2
    while power(high, difference, spread, level) < enough:
        if high >= MOST:
            return None
        low, high = high, min(2 * high, MOST)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if power(middle, difference, spread, level) >= enough else (middle + 1, high)
    return high


def detectable(seeds: int, spread: float, enough: float = POWER, level: float = 0.05) -> float:
    """The smallest true difference that this many seeds find with power `enough`; NaN with fewer than two seeds."""
    from scipy.optimize import brentq

    if seeds < 2 or not math.isfinite(spread):
        return math.nan
    if spread == 0:
        return 0.0
    most = 50 * spread / math.sqrt(seeds)  # two seeds find 27 standard errors, more seeds fewer
    return float(brentq(lambda found: power(seeds, found, spread, level) - enough, 0.0, most))  # pyright: ignore
