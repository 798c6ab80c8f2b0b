"""A measured number with its interval, and how a metric is described to the protocol."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from gen_jax.metrics import intervals, meaning
from gen_jax.runs.evaluation.subject import Subject


class Value(NamedTuple):
    """One number of a metric. `details` holds what does not fit in a table: parts, null values, histograms."""

    name: str
    value: float
    interval: tuple[float, float] | None = None
    interval_kind: str = ""
    unit: str = ""
    details: dict[str, Any] = {}


class Metric(NamedTuple):
    """A metric as the protocol runs it.

    `check(subject)` raises UserError where this model or these data cannot have it; it is quick. `stamp(subject)` says
    how it will be measured: the same stamp, the same number. `compute(subject)` measures.
    """

    check: Callable[[Subject], None]
    stamp: Callable[[Subject], dict[str, Any]]
    compute: Callable[[Subject], list[Value]]


def over_repeats(name: str, values: Sequence[float], unit: str = "", details: dict[str, Any] | None = None) -> Value:
    """The mean over repeated sample sets of one model, with Student's interval: the noise of sampling alone."""
    values, details = [float(value) for value in values], details or {}
    mean, found = float(np.mean(values)), {**details, "values": values}
    if len(values) < 2:
        return Value(name, mean, None, "", unit, details)
    if not np.isfinite(values).all() or np.ptp(values) == 0:
        return Value(name, mean, None, "", unit, found)
    interval, can_be = intervals.t_interval(values), meaning.of(name)  # Student's knows no bound: a recall has one
    kind = f"95 %, {len(values)} repeated sample sets (not training runs)"
    return Value(name, mean, (can_be.clip(interval.low), can_be.clip(interval.high)), kind, unit, found)


def over_examples(name: str, values: np.ndarray, unit: str = "", details: dict[str, Any] | None = None) -> Value:
    """The mean over examples, with a bootstrap interval (a normal one where there are more than 10,000 examples)."""
    values, details = np.asarray(values, np.float64), details or {}
    mean = float(np.mean(values))
    if len(values) < 2 or not np.isfinite(values).all() or np.ptp(values) == 0:
        return Value(name, mean, None, "", unit, details)
    if len(values) > 10_000:
        half = 1.96 * float(values.std(ddof=1)) / np.sqrt(len(values))
        return Value(name, mean, (mean - half, mean + half), "95 % normal, over examples", unit, details)
    found = intervals.bootstrap_interval(values, method="percentile", resamples=1_000)
    return Value(name, mean, (found.low, found.high), "95 % bootstrap over examples", unit, details)


def of_proportion(name: str, interval: intervals.Interval) -> Value:
    """A proportion with Wilson's interval."""
    return Value(name, interval.value, (interval.low, interval.high), "95 % Wilson, over examples")
