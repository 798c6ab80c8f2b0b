"""Differences that may be looked at after every training seed, and still are wrong at most as often as they say.

A t-test that is repeated until p < .05 finds something sooner or later where there is nothing. A confidence *sequence*
holds for all numbers of seeds at once, so one may stop whenever one likes (by Ville's inequality). This is the one for
the mean of a normal distribution of unknown variance by the mixture of Lai (1976), in the form of Wang & Ramdas (2023,
arXiv:2310.03722): the evidence after n differences x against mean m is

    E_n = sqrt(c² / (n + c²)) · ((n + c²) V / ((n + c²) V − S²))^(n/2),  S = Σ (x − m),  V = Σ (x − m)²,

a martingale under m with E_1 = 1; it exceeds 1/a at any time with a chance of at most a. The effect (mean over standard
deviation) is weighed by a normal distribution of variance 1/c². It costs: about 1.7 times as wide as Student's interval
at 16 seeds, and endless below five.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from gen_jax.metrics.intervals import Difference, Interval, mean

C2 = 1.0  # c²: effects of about one standard deviation are what a study of some ten seeds can find


def evidence(values: Sequence[float] | np.ndarray, null: float = 0.0) -> float:
    """log E_n of the values against the mean `null`; infinite where they have no spread and another mean."""
    x = np.asarray(values, np.float64) - null
    n = len(x)
    if n < 2 or not x.any():
        return 0.0
    v, s = float((x**2).sum()), float(x.sum())
    rest = 1 - s**2 / ((n + C2) * v)
    return 0.5 * math.log(C2 / (n + C2)) - 0.5 * n * math.log(rest)


def interval(values: Sequence[float] | np.ndarray, level: float = 0.95) -> Interval:
    """The means that the values speak against with less than 1/(1 − level), whenever one stops; NaN ends where that is
    all means.
    """
    x = np.asarray(values, np.float64)
    n, centre = len(x), mean(x)
    none = Interval(centre, math.nan, math.nan, n)
    if n < 2:
        return none
    most = ((n + C2) / C2) ** (1 / n) * (1 / (1 - level)) ** (2 / n)
    below = n + C2 - most * C2
    if below <= 0:
        return none
    half = math.sqrt((n + C2) * float(x.var()) * (most - 1) / below)
    return Interval(centre, centre - half, centre + half, n)


def paired(values: Mapping[int, float], baseline: Mapping[int, float], level: float = 0.95) -> Difference:
    """`intervals.paired` that holds at all numbers of seeds at once. p: the smallest 1/E_n on the way."""
    seeds = sorted(values.keys() & baseline.keys())
    differences = np.array([values[seed] - baseline[seed] for seed in seeds], np.float64)
    if len(seeds) < 2 or (differences.std() <= 1e-12 * abs(differences.mean()) and differences.any()):
        return Difference(
            mean(differences), Interval(mean(differences), math.nan, math.nan, len(seeds)), math.nan, len(seeds)
        )
    most = max(evidence(differences[: n + 1]) for n in range(len(seeds)))
    return Difference(float(differences.mean()), interval(differences, level), math.exp(-max(most, 0.0)), len(seeds))
