"""One table in four formats: HTML, Markdown, LaTeX (booktabs) and CSV. For people rounded, in the CSV in full.

Nothing in a table depends on when or how fast its runs were made: the same study gives the same bytes.
"""

import csv
import html
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from gen_jax.metrics.intervals import Interval
from gen_jax.metrics.meaning import Better
from gen_jax.runs.files import atomic_write_text
from gen_jax.studies import latex
from gen_jax.studies.results import Row

MISSING = "–"
ANOTHER_GAME = "another game"
ARROWS: dict[Better, str] = {"highest": "↑", "lowest": "↓", None: ""}


class Table(NamedTuple):
    """Cells as text; `numeric` columns are set to the right. `notes` say how to read it."""

    caption: str
    header: list[str]
    rows: list[list[str]]
    notes: list[str]


def tabulate(
    rows: Sequence[Row], caption: str, baseline: str, level: float = 0.95, verdict: Sequence[str] = ()
) -> Table:
    """The rows of `results.rows`, rounded for people. `verdict`: where seeds were added for what was seen, what came of
    it; differences are then `sequential.paired`.
    """
    percent = f"{100 * level:g} %"
    header = ["metric", "arm", "seeds", "final", f"{percent} t", f"{percent} bootstrap", "best"]
    header += ["difference", f"{percent} paired", "p", "p (Holm)"]
    body = []
    for row in rows:
        other = row.difference
        cells = [f"{row.metric.name} {ARROWS[row.metric.better]}".rstrip(), row.arm]
        cells += [f"{row.seeds}" + (f" ({row.failed} failed)" if row.failed else "")]
        cells += [number(row.final), interval(row.t), interval(row.bootstrap), number(row.best)]
        if other is None:
            cells += ["baseline" if row.arm == baseline else ANOTHER_GAME, "", "", ""]
        else:
            cells += [number(other.mean, True), interval(other.interval), p_value(other.p), p_value(row.p_holm)]
        body.append(cells)
    notes = [
        f"Means over training seeds. Differences are to {baseline}, on the final values, paired by seed; "
        + (
            "intervals and p hold however often one looks (a confidence sequence: Lai 1976, Wang & Ramdas 2023), "
            if verdict
            else "p of the paired t-test, "
        )
        + "and p is corrected for the number of arms (Holm).",
        "Best is the best of the values that a run logged (↑ highest, ↓ lowest), run by run; it flatters arms that "
        "fluctuate, and final is what a run ends with.",
        *verdict,
    ]
    if any(row.difference is None and row.arm != baseline for row in rows):
        notes.append(
            "A player's loss is of its own objective: between arms that differ in more than how they learn and how "
            "large they are, losses are not set against each other."
        )
    return Table(caption, header, body, notes)


def number(value: float, signed: bool = False) -> str:
    if not math.isfinite(value):
        return MISSING
    return f"{value:{'+' if signed else ''}.4g}".replace("-", "−")


def interval(found: Interval) -> str:
    if not math.isfinite(found.low):
        return MISSING
    return f"[{number(found.low)}, {number(found.high)}]"


def p_value(p: float) -> str:
    if not math.isfinite(p):
        return MISSING
    return "<0.0001" if p < 1e-4 else f"{p:.4f}" if p < 0.01 else f"{p:.3f}"


def to_markdown(table: Table) -> str:
    """A pipe table with its caption and notes."""

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    marks = ["---", "---", *["---:"] * (len(table.header) - 2)]
    lines = [f"**{table.caption}**", "", line(table.header), line(marks), *map(line, table.rows), ""]
    return "\n".join([*lines, *(f"{note}  " for note in table.notes)]).rstrip() + "\n"


def to_html(table: Table) -> str:
    """A `<table>`, without a page around it: a group of rows a metric, under the metric's name."""

    def cells(row: Sequence[str], tag: str) -> str:
        return "".join(
            f"<{tag}{' class=' + chr(34) + 'n' + chr(34) if i > 0 else ''}>{html.escape(cell)}</{tag}>"
            for i, cell in enumerate(row[1:])
        )

    lines = ["<table>", f"<caption>{html.escape(table.caption)}</caption>"] if table.caption else ["<table>"]
    lines += [f"<thead><tr>{cells(table.header, 'th')}</tr></thead>"]
    width = len(table.header) - 1
    for metric in dict.fromkeys(row[0] for row in table.rows):
        lines += [f'<tbody>\n<tr class="m"><th colspan="{width}">{html.escape(metric)}</th></tr>']
        lines += [f"<tr>{cells(row, 'td')}</tr>" for row in table.rows if row[0] == metric] + ["</tbody>"]
    return "\n".join([*lines, "</table>"]) + "\n"


STYLE = """<style>
body { font: 14px/1.5 system-ui, sans-serif; margin: 24px; max-width: 1240px; color: #1f2328; background: #fff; }
table { border-collapse: collapse; } caption { text-align: left; font-weight: 600; padding-bottom: 8px; }
th, td { text-align: left; padding: 4px 14px 4px 0; border-bottom: 1px solid #e3e4e2; }
.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.m th { padding-top: 14px; } p { color: #63696f; max-width: 90ch; }
</style>
"""


def to_csv(rows: Sequence[Row]) -> str:
    """The rows in full precision (10 digits), a column a number; empty where there is none."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    header = ["metric", "better", "arm", "seeds", "failed", "final", "t_low", "t_high", "bootstrap_low"]
    header += ["bootstrap_high", "best", "difference", "difference_low", "difference_high", "pairs", "p", "p_holm"]
    writer.writerow(header)
    for row in rows:
        other = row.difference
        values = [row.final, *row.t.ends, *row.bootstrap.ends, row.best]
        values += [math.nan] * 3 if other is None else [other.mean, *other.interval.ends]
        cells = [f"{value:.10g}" if math.isfinite(value) else "" for value in values]
        tests = ["", "", ""] if other is None else [str(other.pairs), *(_plain(p) for p in (other.p, row.p_holm))]
        writer.writerow([row.metric.name, row.metric.better or "", row.arm, row.seeds, row.failed, *cells, *tests])
    return text.getvalue()


def _plain(value: float) -> str:
    return f"{value:.10g}" if math.isfinite(value) else ""


def write(folder: Path, table: Table, rows: Sequence[Row]) -> list[Path]:
    """table.md, table.tex, table.csv and table.html in the folder."""
    page = (
        f'<!doctype html>\n<meta charset="utf-8">\n<title>{html.escape(table.caption)}</title>\n{STYLE}{to_html(table)}'
    )
    notes = "".join(f"<p>{html.escape(note)}</p>\n" for note in table.notes)
    texts = {
        "md": to_markdown(table),
        "tex": latex.to_latex(rows, table.caption),
        "csv": to_csv(rows),
        "html": page + notes,
    }
    return [atomic_write_text(folder / f"table.{kind}", text) for kind, text in texts.items()]
