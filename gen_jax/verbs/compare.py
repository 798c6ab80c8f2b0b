"""`compare RUN RUN…`: runs side by side, with intervals over seeds and paired differences."""

from pathlib import Path

import tyro

from gen_jax.core.errors import UserError
from gen_jax.core.lines import one_line, visible
from gen_jax.runs import outputs
from gen_jax.verbs import common
from gen_jax.verbs.common import Trust


def compare(
    runs: tyro.conf.Positional[tuple[Path, ...]],
    metrics: str | None = None,
    measure: bool = False,
    metric: tuple[str, ...] = (),
    baseline: str | None = None,
    names: tuple[str, ...] = (),
    out: Path | None = None,
    trust: Trust = False,
    json: bool = False,
) -> None:
    """Compare runs: those that differ in nothing but the seed are one arm.

    Args:
        runs: run folders, two or more
        metrics: scores of `evaluate`, with commas between, such as fd,coverage,nll: an arm a row, a metric a column
        measure: measure what a run lacks of them, by the defaults of `evaluate`
        metric: of the curves that were logged: NAME, NAME:highest or NAME:lowest; by default the scores that
            --track followed, what was measured on held-out data, and how far samples are from it (samples/…)
        baseline: the arm to take differences to; by default the first
        names: what to call the arms, in the order of their first runs
        out: a folder for table.{html,md,tex,csv} and report.html, not that of a run
        json: print JSON
    """
    scores = tuple(name.strip().replace("-", "_") for name in (metrics or "").split(",") if name.strip())
    if out is not None:
        outputs.folder(out, "--out")
    if scores and metric:
        raise UserError("--metrics names scores of `evaluate`, --metric curves that were logged; give one of them")
    if measure and not scores:
        raise UserError("--measure measures what --metrics names, such as --metrics fd,coverage")
    if measure:
        from gen_jax.core.platform import configure

        configure()
    from gen_jax.studies import measured
    from gen_jax.studies.ablation import as_json
    from gen_jax.studies.compare import Asked
    from gen_jax.studies.compare import compare as compare_runs

    if measure:
        measured.measure(runs, scores, trust)
    found = compare_runs(runs, Asked(metric, scores, baseline, names), out)
    if json:
        import json as encoder

        from gen_jax.runs.files import plain

        print(encoder.dumps(plain({"rows": as_json(found.rows), "out": out})))
        return
    if scores:
        print_rows(found.side_by_side)
    else:
        print_table(found.detailed)
    if out is not None:
        print(one_line(f"{out}: table.md, table.tex, table.csv, table.html and report.html"))


def print_rows(table) -> None:
    """A table as it is, on the terminal."""
    from rich.table import Table
    from rich.text import Text

    console = common.console()
    shown = Table(box=None, padding=(0, 2, 0, 0))
    for number, name in enumerate(table.header):
        shown.add_column(Text(visible(name)), justify="left" if number == 0 else "right", overflow="fold")
    for cells in table.rows:
        shown.add_row(*(Text(visible(cell)) for cell in cells))
    console.print(shown)
    for note in table.notes:
        console.print(Text(visible(note)), style="dim")


def print_table(table) -> None:
    """A study's table on the terminal, a block a metric."""
    from rich.table import Table
    from rich.text import Text

    def cell(text: str) -> Text:  # no string, in which rich would read "[red]" as its own markup
        return Text(visible(text))

    console = common.console()
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
