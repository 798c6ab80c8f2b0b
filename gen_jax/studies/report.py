"""report.html of a study or a comparison: the table, learning curves with bands, sample grids side by side, failures.

One self-contained page: pictures are inside it.
"""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gen_jax.runs import figures, panels
from gen_jax.runs.files import atomic_write_text
from gen_jax.studies import results, tables
from gen_jax.studies.results import Group, Metric

PICTURES = 4  # sample grids an arm: those of the first seeds, which are the same for all arms


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
            panel = panels.kind_of(metric.name)
            svg = figures.bands(lines, metric.name, panel.unit)
            curves.append((Markup(svg[svg.index("<svg") :]), panel.sentence))
    seeds = sorted({seed for group in groups for seed in group.runs})[:PICTURES]
    pictures = {group.name: found for group in groups if (found := samples(group, seeds))}
    page = templates.get_template("report.html.j2").render(
        title=title,
        facts=facts,
        table=Markup(tables.to_html(table._replace(caption=""))),
        notes=table.notes,
        curves=curves,
        samples=pictures,
        pictured=sorted({seed for each in pictures.values() for seed in each}),
        failures=[(group.name, seed, why) for group in groups for seed, why in sorted(group.failed.items())],
    )
    return atomic_write_text(path, page)


def samples(group: Group, seeds: Sequence[int]) -> dict[int, str]:
    """Seed -> picture as a data address: the last sample grid of an arm's runs of these seeds."""
    found = {}
    for seed in seeds:
        pictures = sorted((group.runs[seed] / "samples").glob("step_*.png")) if seed in group.runs else []
        if pictures and (png := figures.read_png(pictures[-1], "the report")) is not None:
            found[seed] = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    return found
