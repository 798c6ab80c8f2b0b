"""A study's table for a paper: booktabs, an arm a row, a metric a column, `104.4 ± 1.7`, the best in bold.

It fits a column of a two-column paper: metrics that do not fit beside the others stand in a block below, and names of
arms that are long are broken. Widths are estimated from the characters; a test sets the table where a TeX is there.
"""

import math
from collections.abc import Sequence

from gen_jax.studies.results import Metric, Row

COLUMN = 219.0  # points: the narrowest column of the usual styles (ACL 219, ICML 235, IEEE 252)
CHARACTER, GAP = 4.5, 6.0  # points of an average character in footnotesize, and between two columns (tabcolsep 3 pt)
LONGEST_ARM = 22  # characters; longer names are broken at their commas


def to_latex(rows: Sequence[Row], caption: str, level: float = 0.95) -> str:
    """A `table` environment of the rows of `results.rows`; needs booktabs and nothing else."""
    metrics = list(dict.fromkeys(row.metric for row in rows))
    arms = list(dict.fromkeys(row.arm for row in rows))
    found = {(row.arm, row.metric): row for row in rows}
    counts = sorted({row.seeds for row in rows})
    same = f"{counts[0]} training seeds" if len(counts) == 1 else "training seeds (n)"
    note = f"Mean over {same}, $\\pm$ half of the {100 * level:g}\\,\\% t interval; the best mean of a column in bold."
    lines = [
        "% \\usepackage{booktabs}",
        "\\begin{table}",
        "\\centering",
        "\\footnotesize",
        "\\setlength{\\tabcolsep}{3pt}",
    ]
    lines += [f"\\caption{{{escape(caption)}. {note}}}"]
    broken = max(map(len, arms), default=0) > LONGEST_ARM
    first = f"p{{{LONGEST_ARM * CHARACTER:.0f}pt}}" if broken else "l"
    seeds = len(counts) > 1
    for number, block in enumerate(_blocks(metrics, found, arms, seeds)):
        if number:
            lines += ["", "\\medskip"]
        lines += [f"\\begin{{tabular}}{{@{{}}{first}{'r' * (len(block) + seeds)}@{{}}}}", "\\toprule"]
        lines += [_line(["", *(["n"] if seeds else []), *map(_heading, block)]), "\\midrule"]
        for arm in arms:
            n = [str(max(found[arm, metric].seeds for metric in block if (arm, metric) in found))] if seeds else []
            name = f"\\raggedright {_breakable(arm)}" if broken else escape(arm)
            lines.append(_line([name, *n, *(_cell(found.get((arm, metric)), found, arms) for metric in block)]))
        lines += ["\\bottomrule", "\\end{tabular}"]
    return "\n".join([*lines, "\\end{table}"]) + "\n"


def _blocks(
    metrics: Sequence[Metric], found: dict[tuple[str, Metric], Row], arms: Sequence[str], seeds: bool
) -> list[list[Metric]]:
    """The metrics, as many to a block as the column holds."""
    taken = CHARACTER * min(max(map(len, arms), default=0), LONGEST_ARM) + seeds * (GAP + 2 * CHARACTER)
    blocks, left = [], 0.0
    for metric in metrics:
        heading = max(len(part) for part in _parts(metric)) + 2
        cells = (sum(map(len, _figures(found[arm, metric]))) + 2 for arm in arms if (arm, metric) in found)
        width = CHARACTER * max(heading, *cells) + GAP
        if not blocks or width > left:
            blocks.append([])
            left = COLUMN - taken
        blocks[-1].append(metric)
        left -= width
    return blocks


def _parts(metric: Metric) -> list[str]:
    return metric.name.split("/")


def _heading(metric: Metric) -> str:
    arrow = {"highest": " $\\uparrow$", "lowest": " $\\downarrow$"}.get(metric.better or "", "")
    return "\\shortstack[r]{" + "\\\\".join(map(escape, _parts(metric))) + arrow + "}"


def _cell(row: Row | None, found: dict[tuple[str, Metric], Row], arms: Sequence[str]) -> str:
    if row is None or not math.isfinite(row.final):
        return "--"
    mean, half = _figures(row)
    finals = [found[arm, row.metric].final for arm in arms if (arm, row.metric) in found]
    finals = [value for value in finals if math.isfinite(value)]
    best = {"highest": max(finals), "lowest": min(finals)}.get(row.metric.better or "")
    shown = f"\\mathbf{{{mean}}}" if len(finals) > 1 and row.final == best else mean
    return f"${shown} \\pm {half}$" if half else f"${shown}$"


def _figures(row: Row) -> tuple[str, str]:
    """Mean and half width, to the second figure of the half width; no half width where there is one seed."""
    half = max(row.t.high - row.final, row.final - row.t.low)  # one end may be cut off at what is possible
    if not math.isfinite(half):
        return f"{row.final:.4g}", ""
    digits = 4 if half == 0 else max(0, 1 - math.floor(math.log10(half)))
    if digits > 6 or half >= 1e6:
        return f"{row.final:.4g}", f"{half:.2g}"
    return f"{row.final:.{digits}f}", f"{half:.{digits}f}"


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + " \\\\"


def _breakable(text: str) -> str:
    """Escaped, and broken at commas, equals signs and underscores where the line ends."""
    shown = escape(text)
    for mark in (",", "=", "\\_"):
        shown = shown.replace(mark, mark + "\\allowbreak{}")
    return shown


def escape(text: str) -> str:
    """Text as LaTeX shows it."""
    known = {
        "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
        "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "↑": r"$\uparrow$", "↓": r"$\downarrow$", "−": "$-$",
        "–": "--", "<": "$<$", ">": "$>$", "∞": r"$\infty$", "±": r"$\pm$", "×": r"$\times$", "β": r"$\beta$",
    }  # fmt: skip
    return "".join(known.get(character, character) for character in text)
