"""What the runs of a study, or any runs, amount to: one row an arm and metric, over training seeds.

Final and best are both given, never best alone: a run that once was good and then collapsed has a fine best. The best
is the best of the evaluations that the run made, taken run by run, and so favours arms that fluctuate; differences
and tests are on the final values.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.metrics import intervals, meaning
from gen_jax.metrics.intervals import Difference, Interval
from gen_jax.metrics.meaning import Better
from gen_jax.runs import folder, log
from gen_jax.runs.settings import flatten
from gen_jax.runs.watching import tracking
from gen_jax.studies import games, sameness
from gen_jax.studies.plan import exact, label

# How often a run looks at itself changes nothing of what it becomes.
CADENCE = ("log_every", "sample_every", "evaluate_every", "checkpoint_every", "max_nonfinite")
ACROSS = ("data", "steps", "code")  # what tells runs of several scripts apart beside the script
SIGNS = ("samples/distance", "samples/coverage")  # of the samples themselves: a game's losses do not tell it


class Metric(NamedTuple):
    """A metric by its name in metrics.jsonl, and which way is better: None where neither is."""

    name: str
    better: Better


class Group(NamedTuple):
    """The runs of one arm by seed, and the seeds that failed, with the reason."""

    name: str
    runs: dict[int, Path]
    failed: dict[int, str]


class Row(NamedTuple):
    """One metric of one arm. Differences are to the baseline; None for the baseline itself, and for the loss of another
    game than the baseline's.
    """

    metric: Metric
    arm: str
    seeds: int  # with a finite final value
    failed: int
    final: float
    t: Interval
    bootstrap: Interval
    best: float  # NaN where neither way is better
    difference: Difference | None
    p_holm: float


Paired = Callable[[Mapping[int, float], Mapping[int, float], float], Difference]


def rows(
    groups: Sequence[Group],
    baseline: str,
    metrics: Sequence[Metric],
    level: float = 0.95,
    paired: Paired = intervals.paired,
) -> list[Row]:
    """The table: for each metric, a row an arm. p-values are corrected for the number of arms, metric by metric.

    paired: how differences are judged; `sequential.paired` where seeds were added for what was seen.
    """
    curves = {group.name: read(group) for group in groups}
    apart = others(groups, baseline, metrics)
    found: list[Row] = []
    for metric in metrics:
        finals = {name: final(runs, metric) for name, runs in curves.items()}
        tops = {name: best(runs, metric) for name, runs in curves.items()}
        found += rows_of(groups, baseline, metric, finals, tops, level, paired, apart)
    return found


def others(groups: Sequence[Group], baseline: str, metrics: Sequence[Metric]) -> frozenset[str]:
    """The arms that play another game than the baseline, where one of the metrics is a player's loss."""
    if not any(games.is_loss(metric.name) for metric in metrics):
        return frozenset()
    return games.apart({group.name: next(iter(group.runs.values())) for group in groups if group.runs}, baseline)


BySeed = Mapping[str, Mapping[int, float]]  # arm -> seed -> value


def rows_of(
    groups: Sequence[Group],
    baseline: str,
    metric: Metric,
    finals: BySeed,
    tops: BySeed,
    level: float = 0.95,
    paired: Paired = intervals.paired,
    apart: frozenset[str] = frozenset(),
) -> list[Row]:
    """One metric's rows, an arm each, of final and best values by seed. `apart`: arms whose losses are not compared."""
    left_out = {baseline, *(apart if games.is_loss(metric.name) else ())}
    differences = {
        group.name: _paired(paired(finals[group.name], finals[baseline], level), metric)
        for group in groups
        if group.name not in left_out
    }
    corrected = dict(zip(differences, intervals.holm([d.p for d in differences.values()]), strict=True))
    found = []
    for group in groups:
        values = list(finals[group.name].values())
        found.append(
            Row(
                metric,
                group.name,
                len(values),
                len(group.failed),
                intervals.mean(values),
                _possible(intervals.t_interval(values, level), metric),
                _possible(intervals.bootstrap_interval(values, level, "percentile"), metric),
                intervals.mean(list(tops[group.name].values())),
                differences.get(group.name),
                corrected.get(group.name, math.nan),
            )
        )
    return found


def _possible(interval: Interval, metric: Metric) -> Interval:
    """The interval within what the metric can be: no recall below 0."""
    can_be = meaning.of(metric.name)
    return interval._replace(low=can_be.clip(interval.low), high=can_be.clip(interval.high))


def _paired(found: Difference, metric: Metric) -> Difference:
    """The difference, its interval within what two values of the metric can differ by."""
    can_be = meaning.of(metric.name)
    most = meaning.Meaning(None, can_be.low - can_be.high, can_be.high - can_be.low)
    ends = {name: most.clip(getattr(found.interval, name)) for name in ("low", "high")}
    return found._replace(interval=found.interval._replace(**ends))


def read(group: Group) -> dict[int, dict[str, log.Series]]:
    """Every metric of every run that went to its end, by seed."""
    return {seed: log.read_metrics(run) for seed, run in sorted(group.runs.items()) if seed not in group.failed}


def final(runs: dict[int, dict[str, log.Series]], metric: Metric) -> dict[int, float]:
    """The last value of each seed; seeds without a finite one are left out."""
    ends = {seed: float(series[metric.name].values[-1]) for seed, series in runs.items() if metric.name in series}
    return {seed: value for seed, value in ends.items() if math.isfinite(value)}


def best(runs: dict[int, dict[str, log.Series]], metric: Metric) -> dict[int, float]:
    """The best value of each seed over its run; none where neither way is better."""
    if metric.better is None:
        return {}
    choose = np.nanmax if metric.better == "highest" else np.nanmin
    kept = {seed: series[metric.name].values for seed, series in runs.items() if metric.name in series}
    return {seed: float(choose(values)) for seed, values in kept.items() if np.isfinite(values).any()}


def choose_metrics(groups: Sequence[Group], asked: Sequence[str] = (), best_metric: str | None = None) -> list[Metric]:
    """The metrics asked for, as NAME, NAME:highest or NAME:lowest. Raises UserError for one that no run has.

    By default the scores that the runs followed, what was measured on held-out data, and how far samples are from it;
    the losses where nothing was measured.
    """
    there: dict[str, None] = {}
    for group in groups:
        for run in group.runs.values():
            there |= dict.fromkeys(log.read_metrics(run))
    if not asked:
        scores = [name for name in there if name.startswith(tracking.PREFIX)]
        held_out = [name for name in there if name.startswith("held_out/")]
        asked = [*scores, *held_out, *(name for name in SIGNS if name in there)] or [
            name for name in there if name.startswith("loss/")
        ]
    found = []
    for text in asked:
        name, _, way = text.partition(":")
        if name not in there:
            known = ", ".join(there) or "none, for no run has a metric yet"
            raise UserError(f"no run has a metric {name}; there are {known}")
        if way not in ("", "highest", "lowest"):
            raise UserError(f"--metric {text}: write {name}:highest or {name}:lowest")
        natural = "highest" if name == best_metric else meaning.of(name).better
        found.append(Metric(name, "highest" if way == "highest" else "lowest" if way == "lowest" else natural))
    return found


def bands(groups: Sequence[Group], metric: str) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Learning curves by arm: (steps, mean, low, high) over seeds, at the steps that all of an arm's runs have."""
    found = {}
    for group in groups:
        series = [run[metric] for run in read(group).values() if metric in run]
        if not series:
            continue
        common = sorted(set.intersection(*(set(one.steps.tolist()) for one in series)))
        values = np.array([[one.values[one.steps.tolist().index(step)] for step in common] for one in series])
        bands = np.array([intervals.t_interval(column[np.isfinite(column)]) for column in values.T])
        if common:
            found[group.name] = (np.array(common), bands[:, 0], bands[:, 1], bands[:, 2])
    return found


def groups_of_runs(runs: Sequence[Path]) -> list[Group]:
    """Run folders as arms: those that differ in nothing but their seed are one, named by what distinguishes it. Runs of
    other lengths, data or code are other arms.

    Raises UserError where a folder is no run, or where two runs are the same arm and seed.
    """
    ignored = {"seed", *folder.EXECUTION, *CADENCE} - {"steps"}
    others = sameness.fields(runs)
    settings = [{**flatten(folder.read_config(run)), **more} for run, more in zip(runs, others, strict=True)]
    for run, full in zip(runs, settings, strict=True):
        if missing := [name for name in ("seed", "data") if name not in full]:
            raise UserError(f"{run / 'config.json'} is damaged: it has no {missing[0]}, so the run cannot be compared")
        folder.refuse_edited(run)
    own_settings = [{name: value for name, value in each.items() if name not in ignored} for each in settings]
    kept = [{name: exact(value) for name, value in each.items()} for each in own_settings]
    texts = _texts(own_settings)
    names = list(dict.fromkeys(name for each in kept for name in each))

    def varies(name: str, among: Sequence[Mapping[str, str]]) -> bool:
        return len({each.get(name) for each in among}) > 1

    def name_of(own: Mapping[str, str], script: str) -> str:
        # Settings of other scripts say nothing of this one: only what varies among the runs of one script is in a name.
        alike = [each for each in kept if each["script"] == own["script"]]
        parts = [script] if varies("script", kept) else []
        for field in names:
            if field != "script" and varies(field, kept if field in ACROSS else alike):
                text = texts[field, own[field]] if field in own else "-"
                parts.append(f"{field.removeprefix('hyper.')}={text}")
        return ",".join(parts) or "all"

    found: dict[str, Group] = {}
    for run, own, full in zip(runs, kept, settings, strict=True):
        name = name_of(own, full["script"])
        group = found.setdefault(name, Group(name, {}, {}))
        if full["seed"] in group.runs:
            raise UserError(f"{run} and {group.runs[full['seed']]} are the same arm and seed; give one of them")
        group.runs[full["seed"]] = run
    return list(found.values())


def _texts(settings: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], str]:
    """(field, a value of it in full) -> what names call it: its label, in full where another value has the same."""
    found: dict[str, dict[str, str]] = {}
    for each in settings:
        for name, value in each.items():
            found.setdefault(name, {})[exact(value)] = label(value)
    return {
        (name, full): text if list(texts.values()).count(text) == 1 else full
        for name, texts in found.items()
        for full, text in texts.items()
    }
