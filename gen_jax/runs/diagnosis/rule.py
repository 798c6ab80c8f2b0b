"""What a rule is, what it sees and what it advises; and how a rule reads a metric over a run."""

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import numpy as np

from gen_jax.runs.log import Series

Metrics = Mapping[str, Series]  # as `log.read_metrics` gives them

LEAST = 5  # logged values that a rule wants before it judges
SHARE = 0.25  # of a run's values that count as recent


class Remedy(NamedTuple):
    """Something to try: arguments of an experiment of this project, and whom it is from.

    `data`: what the experiment takes: square images, points of the plane, either, or mixtures alone whose modes are
    known. `multiple`: the side of its images is one of this. `clashes`: settings beside which it cannot be had.
    `needs`: a setting that a run must have for this to help, such as the rate of a generator.
    """

    script: str  # a file of experiments/, or "" where the flags are those of the experiment that was run
    flags: str  # "--steps /2": half of what the run has
    why: str
    data: Literal["images", "points", "any", "mixtures"] = "images"
    multiple: int = 1
    clashes: tuple[str, ...] = ()
    needs: str = ""

    @property
    def command(self) -> str:
        return f"experiments/{self.script} {self.flags}".strip() if self.script else self.flags


class Sight(NamedTuple):
    """What a rule saw: whether it is a sign of failure, the number that decided, at which step, and words for it."""

    fired: bool
    value: float
    step: int
    saw: str


class Rule(NamedTuple):
    """A sign of failure. `look(metrics)` is None where the run has not logged what the rule looks at, or not enough."""

    name: str
    title: str
    looks_at: str
    threshold: str
    source: str  # of the sign, and of the threshold
    remedies: tuple[Remedy, ...]
    look: Callable[[Metrics], Sight | None]


def recent(series: Series | None, least: int = LEAST, share: float = SHARE) -> Series | None:
    """The last `share` of the finite values, at least `least` of them; None where there are fewer in all."""
    if series is None:
        return None
    finite = np.isfinite(series.values)
    steps, values = series.steps[finite], series.values[finite]
    if len(values) < least:
        return None
    count = max(least, int(len(values) * share))
    return Series(steps[-count:], values[-count:])


def typical(values: np.ndarray) -> int:
    """The place of the median (the lower one of two): one measurement, whose numbers can be told together."""
    return int(np.argsort(values, kind="stable")[(len(values) - 1) // 2])


def median(series: Series) -> float:
    return float(np.median(series.values))


def last_step(series: Series) -> int:
    return int(series.steps[-1])


def aligned(metrics: Metrics, *names: str) -> list[Series] | None:
    """Several metrics at the steps that all of them have; None where one is missing or there is no such step."""
    if any(name not in metrics for name in names):
        return None
    found = [metrics[name] for name in names]
    steps = found[0].steps
    for series in found[1:]:
        steps = np.intersect1d(steps, series.steps)
    if not len(steps):
        return None
    return [Series(steps, series.values[np.isin(series.steps, steps)]) for series in found]
