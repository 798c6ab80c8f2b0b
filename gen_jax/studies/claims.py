"""What a paper claims of two arms, whether these seeds bear it out, and how many seeds it would take to tell."""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

import numpy as np

from gen_jax.core.lines import counted
from gen_jax.metrics import intervals, power
from gen_jax.studies.tables import number

Word = Literal["held", "not decided", "reversed"]
Values = dict[str, dict[str, dict[int, float]]]  # arm -> column -> seed -> value


class Claim(NamedTuple):
    """ "`column` is lower for the arm `lower` than for the arm `higher`"."""

    text: str
    column: str
    lower: str
    higher: str
    published: float | None = None  # how much lower it is there; None where that is another metric
    words: Mapping[Word, str] = MappingProxyType({})  # where the claim is of no difference


def judge(values: Values, claim: Claim) -> tuple[str, str]:
    """(the claim's word for "held", "not decided" or "reversed", the evidence).

    Decided by the 95 % interval of the paired difference over training seeds. The evidence says what these seeds could
    have decided: a claim that was not held by seeds without power is no finding.
    """
    found = intervals.paired(*_sides(values, claim))
    low, high = found.interval.ends
    word: Word = "held" if high < 0 else "reversed" if low > 0 else "not decided"
    evidence = f"difference {number(found.mean, True)}, 95 % [{number(low)}, {number(high)}], {found.pairs} seeds"
    could = _could(values, claim)
    return claim.words.get(word, word), f"{evidence}; {could}" if could else evidence


def forecast(values: Values, claim: Claim) -> str:
    """One line, before anything is trained: how many seeds would decide this, from the runs that are there."""
    spread, pairs = _spread(values, claim)
    if math.isnan(spread):
        return f"{claim.text}: of {counted(pairs, 'seed')} nothing is known: how far they differ takes two"
    if claim.published is None:
        return f"{claim.text}: with the spread of {pairs} seeds, {_enough(spread, pairs)}"
    needed = power.seeds_for(claim.published, spread)
    many = f"more than {power.MOST:,}" if needed is None else str(needed)
    return (
        f"{claim.text}: with the spread of {pairs} seeds, the published {number(claim.published)} "
        f"takes {many} seeds to find with power {power.POWER:g}"
    )


def _could(values: Values, claim: Claim) -> str:
    spread, pairs = _spread(values, claim)
    if math.isnan(spread):
        return ""
    if claim.published is None:
        return _enough(spread, pairs)
    share = power.power(pairs, claim.published, spread)
    needed = power.seeds_for(claim.published, spread)
    more = "" if share >= power.POWER else f", which takes {needed or f'more than {power.MOST:,}'} seeds"
    return f"power {share:.2f} for the published {number(claim.published)}{more}"


def _enough(spread: float, pairs: int) -> str:
    return f"{pairs} seeds find a difference of {number(power.detectable(pairs, spread))} with power {power.POWER:g}"


def _spread(values: Values, claim: Claim) -> tuple[float, int]:
    """Standard deviation of the paired differences over seeds, NaN for fewer than two, and how many they are."""
    first, second = _sides(values, claim)
    seeds = first.keys() & second.keys()
    if len(seeds) < 2:
        return math.nan, len(seeds)
    return float(np.std([first[seed] - second[seed] for seed in sorted(seeds)], ddof=1)), len(seeds)


def _sides(values: Values, claim: Claim) -> tuple[dict[int, float], dict[int, float]]:
    """The column of both arms by seed; empty where an arm has none."""
    return values.get(claim.lower, {}).get(claim.column, {}), values.get(claim.higher, {}).get(claim.column, {})
