"""Failures named while they happen: rules over a run's metrics, each one small file of this package.

A rule is a pure function of the metrics so far. `examine` asks all of them at the end of a run and at every evaluation
on the way, so what a finished run's log says is what it would have said while training.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from gen_jax.runs.diagnosis import (
    aggregate_mismatch,
    blur,
    dropped_modes,
    exploding_gradients,
    memorisation,
    mode_collapse,
    oscillation,
    overfitting,
    posterior_collapse,
    vanishing_gradient,
)
from gen_jax.runs.diagnosis.remedies import Ground, fitting
from gen_jax.runs.diagnosis.rule import LEAST, Metrics, Rule, Sight
from gen_jax.runs.log import Series

RULES: tuple[Rule, ...] = (
    vanishing_gradient.RULE,
    exploding_gradients.RULE,
    mode_collapse.RULE,
    dropped_modes.RULE,
    overfitting.RULE,
    oscillation.RULE,
    posterior_collapse.RULE,
    aggregate_mismatch.RULE,
    blur.RULE,
    memorisation.RULE,
)


class Finding(NamedTuple):
    """A rule that fired: when it first did, what it saw last, and whether it still does at the end."""

    rule: Rule
    since: int
    until: int  # the last step at which it fired
    lasting: bool
    sight: Sight

    def line(self, run: Ground = Ground()) -> str:
        """One line: what, when, the threshold and the first thing to try with this run."""
        when = f"since step {self.since}" if self.lasting else f"from step {self.since} to {self.until}, then gone"
        first = fitting(self.rule.remedies, run)[:1]
        advice = "".join(f"; try {remedy['command']} ({remedy['why']})" for remedy in first)
        return f"{self.rule.title} ({when}): {self.sight.saw} (threshold: {self.rule.threshold}){advice}"


class Diagnosis(NamedTuple):
    """What a run shows up to `step`: findings, and by rule what was seen where there was something to look at."""

    step: int
    findings: tuple[Finding, ...]
    seen: dict[str, Sight]


class Watch(NamedTuple):
    """What is known of a run as it goes on: findings and sights by rule. `look_at` moves it forward, in place."""

    found: dict[str, Finding]
    seen: dict[str, Sight]


def look_at(watch: Watch, metrics: Metrics, moment: int) -> None:
    """Ask every rule about the metrics up to step `moment`."""
    until = {name: short for name, series in metrics.items() if len((short := _until(series, moment)).steps)}
    for rule in RULES:
        sight = rule.look(until)
        if sight is None:
            continue
        watch.seen[rule.name] = sight
        before = watch.found.get(rule.name)
        if sight.fired:
            watch.found[rule.name] = Finding(rule, before.since if before else moment, moment, True, sight)
        elif before is not None:
            watch.found[rule.name] = before._replace(lasting=False)


def examine(metrics: Metrics, watch: Watch | None = None, after: int = -1) -> Diagnosis:
    """All rules, at every evaluation of a run after step `after` (of which `watch` knows the rest) and at its end."""
    watch = Watch({}, {}) if watch is None else watch
    steps = moments(metrics)
    for moment in steps:
        if moment > after:
            look_at(watch, metrics, moment)
    last = max((int(series.steps[-1]) for series in metrics.values()), default=0)
    if not steps or last > steps[-1]:  # the end is looked at, but a run that goes on has not seen it
        watch = Watch(dict(watch.found), dict(watch.seen))
        look_at(watch, metrics, last)
    findings = tuple(watch.found[rule.name] for rule in RULES if rule.name in watch.found)
    return Diagnosis(last, findings, dict(watch.seen))


def summary(diagnosis: Diagnosis, run: Ground = Ground()) -> dict[str, Any]:
    """The content of diagnosis.json, with what there is to try for this run."""
    findings = [
        {
            "rule": f.rule.name,
            "sign": f.rule.title,
            "since": f.since,
            "until": None if f.lasting else f.until,
            "saw": f.sight.saw,
            "value": f.sight.value,
            "step": f.sight.step,
            "threshold": f.rule.threshold,
            "source": f.rule.source,
            "try": fitting(f.rule.remedies, run),
        }
        for f in diagnosis.findings
    ]
    looked = [
        {
            "rule": rule.name,
            "sign": rule.title,
            "looks_at": rule.looks_at,
            "saw": sight.saw if (sight := diagnosis.seen.get(rule.name)) else None,
            "value": sight.value if sight else None,
            "threshold": rule.threshold,
        }
        for rule in RULES
    ]
    return {"step": diagnosis.step, "findings": findings, "looked_at": looked}


def too_few(metrics: Metrics, settings: Mapping[str, Any]) -> str:
    """Why no rule has anything to look at."""
    lines, every = max((len(series.steps) for series in metrics.values()), default=0), settings.get("log_every")
    if lines >= LEAST:
        return "nothing to look at: this run does not log what shows signs of failure"
    when = f": with --log-every {every}, from step {every * LEAST} on" if isinstance(every, int) else ""
    there = "there is 1" if lines == 1 else f"there are {lines}"
    return f"nothing to look at yet: a sign takes {LEAST} logged values, and {there}{when}"


def moments(metrics: Metrics) -> list[int]:
    """Steps of the evaluations so far, or of all logged lines where there are none."""
    evaluated = [s.steps for name, s in metrics.items() if name.startswith(("held_out/", "samples/"))]
    logged = evaluated or [s.steps for s in metrics.values()]
    return np.unique(np.concatenate(logged)).tolist() if logged else []


def _until(series: Series, step: int) -> Series:
    count = int(np.searchsorted(series.steps, step, side="right"))
    return Series(series.steps[:count], series.values[:count])
