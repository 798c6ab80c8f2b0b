"""report.html of a study or a comparison: the table, learning curves with bands, sample grids side by side, failures.

One self-contained page: pictures are inside it.
"""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gen_jax.runs import figures
from gen_jax.runs.files import atomic_write_text
from gen_jax.studies import results, tables
from gen_jax.studies.results import Group, Metric

PICTURES = 4  # sample grids an arm: those of the first seeds


def write_report(
    path: Path,
    title: str,
    table: tables.Table,
    groups: Sequence[Group],
    metrics: Sequence[Metric],
    facts: Mapping[str, Any],
) -> Path:
    """Write the page; parts that there is nothing for are left out. Raises UserError where it cannot be written."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    curves = []
    for metric in metrics:
        lines = results.bands(groups, metric.name)
        if any(len(steps) > 1 for steps, *_ in lines.values()):
            svg = figures.bands(lines, metric.name)
            curves.append(Markup(svg[svg.index("<svg") :]))
    page = templates.get_template("report.html.j2").render(
        title=title,
        facts=facts,
        table=Markup(tables.to_html(table._replace(caption=""))),
        notes=table.notes,
        curves=curves,
        samples=[(group.name, samples(group)) for group in groups if samples(group)],
        failures=[(group.name, seed, why) for group in groups for seed, why in sorted(group.failed.items())],
    )
    return atomic_write_text(path, page)


def samples(group: Group) -> list[tuple[int, str]]:
    """(seed, picture as a data address) of the last sample grid of an arm's first runs."""
    found = []
    for seed, run in sorted(group.runs.items())[:PICTURES]:
        pictures = sorted((run / "samples").glob("step_*.png"))
        if pictures:
            content = base64.b64encode(pictures[-1].read_bytes()).decode()
            found.append((seed, f"data:image/png;base64,{content}"))
    return found
