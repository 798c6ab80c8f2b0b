"""`compare RUN RUN…`: runs side by side, with intervals over seeds and paired differences."""

from pathlib import Path

import tyro

from gen_jax.core.lines import one_line, visible
from gen_jax.verbs import outputs


def compare(
    runs: tyro.conf.Positional[tuple[Path, ...]],
    metric: tuple[str, ...] = (),
    baseline: str | None = None,
    out: Path | None = None,
    json: bool = False,
) -> None:
    """Compare runs: those that differ in nothing but the seed are one arm.

    Args:
        runs: run folders, two or more
        metric: NAME, NAME:highest or NAME:lowest; by default what was measured on held-out data
        baseline: the arm to take differences to; by default the first
        out: a folder for table.{html,md,tex,csv} and report.html, not that of a run
        json: print JSON
    """
    if out is not None:
        outputs.folder(out, "--out")
    from gen_jax.studies.ablation import as_json
    from gen_jax.studies.compare import compare as compare_runs

    table, rows = compare_runs(runs, metric, baseline, out)
    if json:
        import json as encoder

        from gen_jax.runs.files import plain

        print(encoder.dumps(plain({"rows": as_json(rows), "out": out})))
        return
    print_table(table)
    if out is not None:
        print(one_line(f"{out}: table.md, table.tex, table.csv, table.html and report.html"))


def print_table(table) -> None:
    """A study's table on the terminal, a block a metric."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    def cell(text: str) -> Text:  # no string, in which rich would read "[red]" as its own markup
        return Text(visible(text))

    console = Console(emoji=False)
    if not console.is_terminal:
        console = Console(width=160, emoji=False)  # a file has no edge
    for metric in dict.fromkeys(cells[0] for cells in table.rows):
        shown = Table(box=None, padding=(0, 2, 0, 0))
        shown.title, shown.title_justify = Text(visible(metric), "table.title"), "left"
        for number, name in enumerate(table.header[1:]):
            shown.add_column(cell(name), justify="left" if number == 0 else "right", overflow="fold")
        for cells in table.rows:
            if cells[0] == metric:
                shown.add_row(*map(cell, cells[1:]))
        console.print(shown)
    for note in table.notes:
        console.print(cell(note), style="dim")
