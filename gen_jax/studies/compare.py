"""Runs that were made apart, compared as a study compares its own: arms are what differs beside the seed."""

from collections.abc import Sequence
from pathlib import Path

from gen_jax.core.errors import UserError
from gen_jax.runs import folder
from gen_jax.studies import report, results, tables
from gen_jax.studies.results import Row


def compare(
    runs: Sequence[Path], metrics: Sequence[str] = (), baseline: str | None = None, out: Path | None = None
) -> tuple[tables.Table, list[Row]]:
    """The table of these runs; with `out`, also table.{html,md,tex,csv} and report.html in that folder.

    Raises UserError where a folder is no run, two are the same, or the baseline or a metric is not among them.
    """
    if len(runs) < 2:
        raise UserError("compare needs two runs or more")
    groups = results.groups_of_runs(runs)
    names = [group.name for group in groups]
    if baseline is not None and baseline not in names:
        raise UserError(f"--baseline {baseline}: the arms are {', '.join(names)}")
    base = baseline or names[0]
    chosen = results.choose_metrics(groups, metrics)
    rows = results.rows(groups, base, chosen)
    data = sorted({folder.read_config(run)["data"] for run in runs})
    title = f"{len(runs)} runs on {', '.join(data)}"
    table = tables.tabulate(rows, title, base)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        tables.write(out, table, rows)
        facts = {"runs": len(runs), "arms": len(groups), "baseline": base}
        report.write_report(out / "report.html", title, table, groups, chosen, facts)
    return table, rows
