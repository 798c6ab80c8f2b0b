"""A published table as a section of a Markdown page: ours beside theirs, verdicts, the command and the machine."""

import os
import platform
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import jax

from gen_jax.metrics import intervals
from gen_jax.runs import outputs
from gen_jax.runs.files import atomic_write_text
from gen_jax.studies.claims import Values
from gen_jax.studies.outcomes import Outcome


class Column(NamedTuple):
    """A measured quantity: its name in the measurement, its heading, and digits after the point."""

    name: str
    title: str
    digits: int = 2


class Paper(NamedTuple):
    """A published table, scaled down. `published`: arm -> the cells beside our columns, as they are printed there."""

    name: str
    title: str
    columns: Sequence[Column]
    published: Mapping[str, str]
    heading: str  # over the published cells
    titles: Mapping[str, str] = {}  # arm -> what the table calls it
    remark: str = ""  # what the numbers alone do not say of the run that the repository's page shows


def slope(paper: Paper, outcome: Outcome) -> str:
    """How much the first column has changed since the length at which these runs were measured before; "" where they
    were not."""
    steps, before = outcome.earlier
    column = paper.columns[0]
    told = []
    for arm, found in outcome.values.items():
        now, then = found.get(column.name, {}), before.get(arm, {}).get(column.name, {})
        if seeds := sorted(now.keys() & then.keys()):
            change = spread([now[seed] - then[seed] for seed in seeds], column.digits, sign=True)
            told.append(f"{paper.titles.get(arm, arm)} {change}")
    return f"Since step {steps:,}, {column.title} has changed by: {'; '.join(told)}." if told else ""


def spread(values: Sequence[float], digits: int, sign: bool = False) -> str:
    """mean ± half of the 95 % t interval over seeds; a dash where nothing was measured."""
    if not len(values):
        return "–"
    found = intervals.t_interval(values)
    half = f" ± {(found.high - found.low) / 2:.{digits}f}" if len(values) > 1 else ""
    return f"{found.value:{'+' if sign else ''}.{digits}f}{half}".replace("-", "−")


def markdown(paper: Paper, values: Values, claims: Sequence[tuple[str, str, str]], facts: Sequence[str]) -> str:
    """The section: table, claims (what is claimed, the word, the evidence) and facts (command, hardware, time)."""
    header = ["arm", *(column.title for column in paper.columns), "seeds", paper.heading]
    lines = [f"## {paper.title}", "", "| " + " | ".join(header) + " |"]
    lines += ["| --- |" + " ---: |" * (len(header) - 1)]
    for arm, found in values.items():
        cells = [spread(list(found.get(column.name, {}).values()), column.digits) for column in paper.columns]
        seeds = str(max(len(by_seed) for by_seed in found.values()))
        cells = [paper.titles.get(arm, arm), *cells, seeds, paper.published.get(arm, "–")]
        lines.append("| " + " | ".join(cells) + " |")
    lines += [""] + [f"- {claim}: **{word}** ({evidence})." for claim, word, evidence in claims]
    return "\n".join([*lines, *(f"- {fact}" for fact in facts), ""])


def command(script: str) -> str:
    """What was typed, without what only says where things go."""
    given, kept = sys.argv[1:], []
    while given:
        word = given.pop(0)
        if word in ("--study-dir", "--out", "--launcher", "--data-dir"):
            given = given[1:]
        else:
            kept.append(word)
    place = script if "/" in script else f"papers/{script}"
    return shlex.join(["python", f"experiments/{place}", *kept])


def hardware() -> str:
    """This machine in a few words."""
    device = jax.devices()[0]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if device.platform != "cpu":
        return f"{len(jax.devices())} × {device.device_kind}"
    return f"{cores} of {os.cpu_count()} CPU cores ({platform.machine()})"


def need_page(out: Path | None) -> None:
    """Raises UserError, before any work, for an `--out` that cannot be written, is no .md or is a file of a run."""
    if out is not None:
        outputs.file(out, "--out", ".md")


def part_of(data: str) -> str:
    """A data set's name as that of a folder."""
    return "".join(c if c.isalnum() else "-" for c in data)


def beside(name: str, data: str, own: str) -> str:
    """What a table of other data than a script's own is called, so that it stands beside that one."""
    return name if data == own else f"{name}_{part_of(data)}"


def write_section(out: Path | None, name: str, text: str) -> None:
    """Put the section `name` into the page `out`, which is made where it is not there; nothing without one."""
    if out is not None:
        before = out.read_text(encoding="utf-8") if out.exists() else ""
        atomic_write_text(out, with_section(before, name, text))


def with_section(page: str, name: str, text: str) -> str:
    """The page with the part between its `<!-- NAME -->` and `<!-- end of NAME -->` replaced, or appended."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    if begin in page and end in page:
        head, _, rest = page.partition(begin)
        return head + begin + text + end + rest.partition(end)[2]
    return f"{page.rstrip()}\n\n{begin}{text}{end}".lstrip()
