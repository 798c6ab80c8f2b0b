"""Runs that were made apart, compared as a study compares its own: arms are what differs beside the seed."""

import math
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

from gen_jax.core.errors import UserError
from gen_jax.runs import folder, outputs
from gen_jax.runs.paths import short_spec
from gen_jax.studies import measured, report, results, sameness, tables, wide
from gen_jax.studies.measured import Score
from gen_jax.studies.results import Group, Metric, Row


class Asked(NamedTuple):
    """What a person chose. `metrics`: of curves (NAME or NAME:highest); `scores`: metrics of `evaluate`, in place of
    curves; `names`: of the arms, in the order of their first runs."""

    metrics: Sequence[str] = ()
    scores: Sequence[str] = ()
    baseline: str | None = None
    names: Sequence[str] = ()


class Compared(NamedTuple):
    """Rows, an arm and metric each; `detailed` shows them a block a metric, `side_by_side` an arm a row."""

    rows: list[Row]
    detailed: tables.Table
    side_by_side: tables.Table


def compare(runs: Sequence[Path], asked: Asked = Asked(), out: Path | None = None) -> Compared:
    """The tables of these runs; with `out`, also table.{html,md,tex,csv} and report.html in that folder.

    Raises UserError where a folder is no run, two are the same, the baseline or a metric is not among them, scores were
    not measured alike, or `out` holds what a run's data are read from.
    """
    if len(runs) < 2:
        raise UserError("compare needs two runs or more")
    for run in runs if out is not None else []:
        outputs.not_over({"--out": out}, SimpleNamespace(**folder.read_config(run)))
    groups = _named(results.groups_of_runs(runs), asked.names)
    arms = [group.name for group in groups]
    if asked.baseline is not None and asked.baseline not in arms:
        raise UserError(f"--baseline {asked.baseline}: the arms are {', '.join(arms)}")
    base = asked.baseline or arms[0]
    own: dict[tuple[str, str], tuple[float, float]] = {}
    if asked.scores:
        scores = measured.read(runs, asked.scores)
        if not scores:
            raise UserError(
                f"no evaluation.json of these runs has {', '.join(asked.scores)}; measure it with `evaluate`, or add "
                "--measure"
            )
        chosen = list(scores)
        apart = results.others(groups, base, chosen)
        rows = [row for metric in chosen for row in _rows(groups, base, metric, scores[metric], apart)]
        own = {
            (group.name, metric.name): ends
            for metric in chosen
            for group in groups
            for run in group.runs.values()
            if run in scores[metric] and (ends := scores[metric][run].interval)
        }
    else:
        chosen = results.choose_metrics(groups, asked.metrics)
        rows = results.rows(groups, base, chosen)
    data = sorted({short_spec(folder.read_config(run)["data"]) for run in runs})
    title = f"{len(runs)} runs on {', '.join(data)}"
    detailed = tables.tabulate(rows, title, base)
    detailed = detailed._replace(notes=[*detailed.notes, *sameness.notes(runs)])
    found = Compared(rows, detailed, wide.tabulate(rows, groups, title, own))
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        tables.write(out, found.detailed, rows)
        facts = {"runs": len(runs), "arms": len(groups), "baseline": base}
        report.write_report(out / "report.html", title, found.detailed, groups, chosen, facts)
    return found


def _named(groups: list[Group], names: Sequence[str]) -> list[Group]:
    if not names:
        return groups
    if len(names) != len(groups) or len(set(names)) < len(names):
        own = ", ".join(group.name for group in groups)
        raise UserError(f"--names {' '.join(names)}: give {len(groups)} different names, for the arms {own}")
    return [group._replace(name=name) for group, name in zip(groups, names, strict=True)]


def _rows(
    groups: Sequence[Group], baseline: str, metric: Metric, scores: dict[Path, Score], apart: frozenset[str]
) -> list[Row]:
    finals = {
        group.name: {
            seed: scores[run].value
            for seed, run in sorted(group.runs.items())
            if run in scores and math.isfinite(scores[run].value)
        }
        for group in groups
    }
    return results.rows_of(groups, baseline, metric, finals, {group.name: {} for group in groups}, apart=apart)
