"""`diagnose RUN`: what failed, by the rules over a run's metrics, and what the literature does about it."""

from pathlib import Path

import tyro

from gen_jax.core.lines import visible
from gen_jax.verbs import common


def diagnose(run: tyro.conf.Positional[Path], json: bool = False) -> None:
    """Look for signs of failure in what a run logged, and write diagnosis.json.

    Args:
        run: the run folder
        json: print JSON
    """
    from gen_jax.core.errors import UserError
    from gen_jax.runs import diagnosis, folder, log
    from gen_jax.runs.diagnosis.remedies import ground
    from gen_jax.runs.files import atomic_write_json
    from gen_jax.runs.watching.monitor import FILE

    config = folder.read_config(run)
    lines = log.read_lines(run)
    log.tell_of_losses(run, lines, config)
    metrics = log.series(lines)
    if not metrics:
        raise UserError(f"{run} has logged nothing yet, so there is nothing to diagnose; train it first")
    found = diagnosis.summary(diagnosis.examine(metrics), ground(run))
    why = {} if any(row["saw"] for row in found["looked_at"]) else {"why": diagnosis.too_few(metrics, config)}
    path = atomic_write_json(run / FILE, found)
    if json:
        print(path.read_text(encoding="utf-8"), end="")
        return
    _show(run, {**found, **why})


def _show(run: Path, found: dict) -> None:
    from rich.markup import escape as markup
    from rich.table import Table

    def escape(text: object) -> str:
        return markup(visible(text))

    console = common.console(highlight=False)
    looked = [row for row in found["looked_at"] if row["saw"]]
    signs = f"{len(found['findings'])} of {len(looked)} signs of failure" if looked else found["why"]
    console.print(f"{visible(run)}, up to step {found['step']}: {signs}", markup=False)
    for row in found["findings"]:
        when = f"since step {row['since']}" if row["until"] is None else f"from step {row['since']} to {row['until']}"
        console.print(f"\n[bold]{escape(row['sign'])}[/bold], {when}")
        table = Table(show_header=False, box=None, padding=(0, 2, 0, 2))
        table.add_column(style="dim")
        table.add_column(overflow="fold")
        table.add_row("saw", escape(row["saw"]))
        table.add_row("threshold", escape(row["threshold"]))
        table.add_row("source", escape(row["source"]))
        for number, remedy in enumerate(row["try"]):
            table.add_row("" if number else "try", f"{escape(remedy['command'])}  [dim]{escape(remedy['why'])}[/dim]")
        console.print(table)
    fired = {row["rule"] for row in found["findings"]}
    rest = [row for row in looked if row["rule"] not in fired]
    if rest:
        console.print("\nlooked at, and nothing found:" if fired else "\nNothing found. Looked at:")
        table = Table(show_header=False, box=None, padding=(0, 2, 0, 2))
        table.add_column()
        table.add_column(overflow="fold", style="dim")
        for row in rest:
            table.add_row(escape(row["sign"]), escape(row["saw"]))
        console.print(table)
