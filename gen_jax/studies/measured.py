"""What `evaluate` measured of several runs, side by side: GANs, VAEs and hybrids on one footing.

Numbers stand in one column only where they were measured alike: features, counts, split, sampler, data. Where they were
not, what differs is said, and nothing is compared.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gen_jax.core.errors import UserError
from gen_jax.metrics import meaning
from gen_jax.runs import shapes
from gen_jax.runs.evaluation import protocol
from gen_jax.studies.results import Metric

# Of a stamp, what tells models from one another rather than how they were measured.
OWN = ("step", "weights", "model", "platform", "packages", "sample labels", "samples given")
EVERY_VALUE = ("held_out",)  # metrics of which all values are shown; of the others the first, which the rest explain


class Score(NamedTuple):
    """One number of one run: its value, its interval (over examples or sample sets, not over seeds) and step."""

    value: float
    interval: tuple[float, float] | None
    unit: str
    step: int


Scores = Mapping[Metric, Mapping[Path, Score]]


def read(runs: Sequence[Path], metrics: Sequence[str]) -> dict[Metric, dict[Path, Score]]:
    """The scores that the runs' evaluation.json hold of the metrics, each at the run's newest step that has it.

    A run that lacks a metric has no entry. Raises UserError for a name that is no metric, and where two runs were not
    measured alike, with what differs.
    """
    protocol.check_names(metrics)
    results = {run: _results(run) for run in runs}
    found: dict[Metric, dict[Path, Score]] = {}
    for name in metrics:
        chosen = _alike({run: [one for one in each if one["metric"] == name] for run, each in results.items()}, name)
        for run, ones in chosen.items():
            for one in _shown(ones, name):
                metric = Metric(one["name"], meaning.of(one["name"]).better)
                ends = one["interval"] and tuple(one["interval"])
                score = Score(float(one["value"]), ends, one["unit"], one["protocol"]["step"])
                found.setdefault(metric, {})[run] = score
    return found


def measure(runs: Sequence[Path], metrics: Sequence[str], trusted: bool = False) -> None:
    """Measure what a run's newest checkpoint lacks of the metrics, by `evaluate`'s defaults, into its evaluation.json.

    A model that cannot have a metric is left without it, with a line. Platform settings are the caller's.
    """
    from gen_jax.core import dealing
    from gen_jax.core.lines import say
    from gen_jax.core.types import weights
    from gen_jax.runs.evaluation.subject import Options, Subject
    from gen_jax.runs.opened import open_state

    protocol.check_names(metrics)
    for run in runs:
        opened = open_state(run, trusted=trusted)
        kind = "ema" if opened.state.ema else "raw"
        view = dealing.on_all(weights(opened.state))
        subject = Subject(opened.algorithm, view, opened.source, opened.config, Options(), run)
        model = protocol.model_of(subject, opened.step, kind)
        for name in metrics:
            try:
                protocol.run(subject, [name], model, run / protocol.FILE)
            except UserError as error:
                say(f"{run}: {error}")


def _results(run: Path) -> list[dict[str, Any]]:
    found = shapes.read(run / protocol.FILE, shapes.EVALUATION, default={}).get("results", [])
    return [one for one in found if one.get("metric") and one.get("protocol")]


def _shown(results: Sequence[dict[str, Any]], metric: str) -> list[dict[str, Any]]:
    own = [one for one in results if not (one.get("details") or {}).get("null")]
    return own if metric in EVERY_VALUE else own[:1]


def _alike(results: Mapping[Path, list[dict[str, Any]]], metric: str) -> dict[Path, list[dict[str, Any]]]:
    """Of each run's results of a metric those of its newest step under a stamp that all runs with the metric share."""
    stamps: dict[Path, dict[str, list[dict[str, Any]]]] = {}
    for run, each in results.items():
        newest = max((one["protocol"].get("step", -1) for one in each), default=None)
        for one in each:
            if one["protocol"].get("step", -1) == newest:
                stamps.setdefault(run, {}).setdefault(repr(sorted(_how(one).items())), []).append(one)
    if not stamps:
        return {}
    first, *others = stamps
    common = [stamp for stamp in stamps[first] if all(stamp in stamps[run] for run in others)]
    if not common:
        other = next(run for run in others if not stamps[run].keys() & stamps[first].keys())
        here, there = (_how(next(iter(stamps[run].values()))[-1]) for run in (first, other))
        differs = [f"{key} {here.get(key, '–')} and {there.get(key, '–')}" for key in {**here, **there}
                   if here.get(key) != there.get(key)]  # fmt: skip
        raise UserError(
            f"{metric} of {first} and of {other} were not measured alike: {'; '.join(differs)}; measure both with the "
            f"same options of `evaluate`, or leave {metric} out"
        )
    return {run: found[common[-1]] for run, found in stamps.items()}


def _how(result: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in result["protocol"].items() if key not in OWN}
