"""Models side by side: an arm a row, a metric a column, and what each took. For the terminal and for Markdown."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gen_jax.runs import folder, manifest
from gen_jax.studies import sameness
from gen_jax.studies.results import Group, Row
from gen_jax.studies.tables import ARROWS, MISSING, Table, interval, number

Ends = tuple[float, float]


def tabulate(
    rows: Sequence[Row], groups: Sequence[Group], caption: str, own: Mapping[tuple[str, str], Ends] = {}
) -> Table:
    """The rows of `results.rows` or `rows_of`, an arm each, with parameters, training time and device.

    Beside a mean over seeds stands its 95 % t interval; beside a single run's value its own (`own`), where it has one.
    The best of a column is marked; a run that did not go to its end is named in the notes.
    """
    if own is None:
        own = {}
    metrics = list(dict.fromkeys(row.metric for row in rows))
    by_place = {(row.arm, row.metric): row for row in rows}
    body, notes = [], []
    for group in groups:
        cells = [group.name, str(len(group.runs))]
        for metric in metrics:
            cells.append(_cell(by_place.get((group.name, metric)), rows, own))
        facts = [_facts(run) for run in group.runs.values()]
        body.append([*cells, *(_same([fact[name] for fact in facts]) for name in ("parameters", "trained", "on"))])
        notes += [fact["unfinished"] for fact in facts if fact["unfinished"]]
    header = ["", "seeds", *(f"{metric.name} {ARROWS[metric.better]}".rstrip() for metric in metrics)]
    header += ["parameters", "training", "on"]
    told = "* the best of its column. Intervals of several seeds are over seeds (95 % t); of one run they are its own, "
    return Table(
        caption, header, body, [told + "over examples or sample sets, and say nothing of other seeds.", *notes]
    )


def _cell(row: Row | None, rows: Sequence[Row], own: Mapping[tuple[str, str], Ends]) -> str:
    if row is None or not math.isfinite(row.final):
        return MISSING
    finals = [other.final for other in rows if other.metric == row.metric and math.isfinite(other.final)]
    best = {"highest": max(finals), "lowest": min(finals)}.get(row.metric.better or "") == row.final
    ends = own.get((row.arm, row.metric.name)) if row.seeds == 1 else row.t.ends
    shown = (
        "" if ends is None or not math.isfinite(ends[0]) else f" {interval(row.t._replace(low=ends[0], high=ends[1]))}"
    )
    return f"{number(row.final)}{shown}" + ("*" if best and len(finals) > 1 else "")


def _facts(run: Path) -> dict[str, Any]:
    """What a run took, of its manifest; and where it stands, if it did not go to its end."""
    record = folder.record(run)
    sittings = record["sittings"] if record else []
    count = sum(record["parameters"].values()) if record and record.get("parameters") else None
    seconds = sum(sitting.get("run_seconds") or 0.0 for sitting in sittings)
    devices = [device for sitting in sittings for device in sitting["platform"]["devices"][: sitting["devices"]]]
    length = sameness.length(run, record)
    return {
        "parameters": f"{count:,}" if count else MISSING,
        "trained": manifest.duration(seconds) or MISSING,
        "on": ", ".join(dict.fromkeys(devices)) or MISSING,
        "unfinished": f"{run} is not finished: step {length}" if " of " in length else "",
    }


def _same(values: Sequence[str]) -> str:
    distinct = list(dict.fromkeys(values))
    return distinct[0] if len(distinct) == 1 else f"{distinct[0]} to {distinct[-1]}"
