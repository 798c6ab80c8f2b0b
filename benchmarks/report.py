"""Results as tables for a person and as the document: rendered from JSON that is kept beside it, never by hand."""

import importlib
import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import gpu_report, machine
from benchmarks.cases import MEASURES, RACES
from benchmarks.races import Outcome

COLUMNS = ["side", "ms a round", "lowest–highest", "images/s", "GFLOP/s", "of matmul rate", "peak MiB", "compile s"]

INTRODUCTION = """# Performance

Every figure here was written by `python -m benchmarks --write docs/performance.md` (`make bench`), those of a GPU by
`python -m benchmarks.gpu` and `python -m benchmarks.gpu_report`; none by hand but those of the notes under the GPU's
table.

A **race** sets an experiment of this project, with its own `build` and in the program that training runs, against the
same model in PyTorch (`benchmarks/peers`): the same layers (parameters are counted and must agree), batch and
arithmetic, channels-last, fused Adam, one fake batch where ours shares one. The sides are processes that take turns
on the same cores, the others asleep; figures are medians over the repeats. A turn lasts about 8 s, one round at
least, so that several share what a call of our program costs besides (memory is new to each call): training shares it
among 50.
*Ratio* is our time over the better of PyTorch's (eager or `torch.compile`): under 1 is faster than PyTorch. A *round*
is what the model calls a step: all discriminator steps and one generator step. *GFLOP/s* are the model's own matrix
products and convolutions, counted from the program before lowering; *of matmul rate* divides by a large matrix
product's rate on the same cores. *Peak MiB* is the process's memory while it trains, interpreter and libraries
included. Our times hold what PyTorch's do not: gradient norms, the check for non-finite values, metrics of every
round. *compile s* is the compiler's time (PyTorch: with the first rounds).
Compilers differ: what stands under JAX 0.11 ran in Python 3.12, which it needs (`make bench PYTHON=python3.12`, where
there is no `.venv` of an older one yet).
"""


def title(name: str) -> str:
    return RACES[name].title if name in RACES else importlib.import_module(f"benchmarks.cases.{name}").TITLE


def of_race(outcome: Outcome) -> dict[str, Any]:
    ours = outcome.sides[0].facts
    return {
        "sides": [
            {
                "name": side.name,
                "seconds": side.seconds,
                "turns": side.turns,
                "peak_mib": side.peak_mib,
                "compile_seconds": side.facts["compile_seconds"],
                "matmul": side.facts["matmul"],
                "versions": side.facts["versions"],
            }
            for side in outcome.sides
        ],
        "parameters": ours["parameters"],
        "flops": ours["flops"],
        "examples": ours["examples"],
        "start_up_seconds": ours["start_up_seconds"],
        "peak_rate": outcome.peak_rate,
        "ratio": outcome.ratio,
        "bar": outcome.race.bar,
        "failures": outcome.failures,
        "notes": [outcome.race.note] if outcome.race.note else [],
    }


def race_rows(result: dict[str, Any]) -> list[list[str]]:
    rows = []
    for side in result["sides"]:
        rate, seconds = result["flops"] / side["seconds"], side["seconds"]
        name = "gen_jax" if side["name"] == "gen_jax" else f"PyTorch, {side['name'].replace('_', ' ')}"
        rows.append(
            [
                name,
                f"{1e3 * seconds:.2f}",
                f"{1e3 * min(side['turns']):.2f}–{1e3 * max(side['turns']):.2f}",
                f"{result['examples'] / seconds:,.0f}",
                f"{rate / 1e9:.1f}",
                f"{rate / result['peak_rate']:.0%}",
                f"{side['peak_mib']:.0f}",
                f"{side['compile_seconds']:.1f}",
            ]
        )
    return rows


def race_line(result: dict[str, Any]) -> str:
    parameters = ", ".join(f"{name} {count:,}" for name, count in result["parameters"].items())
    line = (
        f"{parameters} parameters; {result['flops'] / 1e9:.3g} GFLOP a round; {result['peak_rate'] / 1e9:.0f} GFLOP/s"
    )
    line += " is the cores' matrix-product rate."
    if result["ratio"] is not None:
        line = f"Ratio {result['ratio']:.2f}" + (f" (bar {result['bar']}). " if result["bar"] else ". ") + line
    for way, why in result["failures"].items():
        line += f" PyTorch {way} could not run: {why}."
    return line


def tables(name: str, result: dict[str, Any]) -> tuple[list[str], list[list[str]], list[str]]:
    """Headings, rows and remarks of a case."""
    if name in RACES:
        return COLUMNS, race_rows(result), [race_line(result), *result["notes"]]
    return result["columns"], result["rows"], result["notes"]


def show(name: str, result: dict[str, Any]) -> None:
    headings, rows, remarks = tables(name, result)
    table = Table(title=title(name), title_justify="left")
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left")
    for row in rows:
        table.add_row(*map(str, row))
    console = Console(width=130)
    console.print(table)
    for remark in remarks:
        console.print(remark, highlight=False)


def key(name: str, result: dict[str, Any]) -> str:
    """Under which a result is kept: a case has one for each JAX (0.10, 0.11), whose compilers differ."""
    major, minor = result["machine"]["versions"]["jax"].split(".")[:2]
    return f"{name}@{major}.{minor}"


def of_case(kept: dict[str, Any], name: str) -> list[tuple[str, dict[str, Any]]]:
    """(JAX's version, result) of a case, oldest first."""
    found = [(version, kept[k]) for k in kept for case, _, version in [k.partition("@")] if case == name and version]
    return sorted(found, key=lambda pair: tuple(map(int, pair[0].split("."))))


def write(document: Path, results: dict[str, Any]) -> None:
    """Add results to those kept beside the document, and render it from all of them."""
    store = document.with_suffix(".json")
    kept = json.loads(store.read_text()) if store.exists() else {}
    kept |= {name if name == "gpu" else key(name, result): result for name, result in results.items()}
    document.parent.mkdir(parents=True, exist_ok=True)
    store.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    document.write_text(render(kept))


def render(kept: dict[str, Any]) -> str:
    parts = [INTRODUCTION, "## Against PyTorch\n", summary(kept)]
    for name in RACES:
        parts += [section(name, result, version) for version, result in of_case(kept, name)]
    if "gpu" in kept:
        parts.append(gpu_report.section(kept["gpu"]))
    parts.append("## This project alone\n")
    for name in MEASURES:
        parts += [section(name, result, version) for version, result in of_case(kept, name)]
    return "\n".join(parts)


def summary(kept: dict[str, Any]) -> str:
    lines = ["| case | JAX | ours, ms a round | PyTorch, better way | ratio | bar |", "|---|--:|--:|--:|--:|--:|"]
    cases = [(name, *found) for name in RACES for found in of_case(kept, name)]
    for name, version, result in cases:
        ours, *peers = result["sides"]
        best = min(peers, key=lambda side: side["seconds"], default=None)
        theirs = f"{1e3 * best['seconds']:.2f} ({best['name'].replace('_', ' ')})" if best else "not measured"
        ratio = f"**{result['ratio']:.2f}**" if best else ""
        cells = [title(name), version, f"{1e3 * ours['seconds']:.2f}", theirs, ratio, str(result["bar"] or "")]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def section(name: str, result: dict[str, Any], version: str) -> str:
    headings, rows, remarks = tables(name, result)
    lines = [f"### {title(name)} (JAX {version})\n", "| " + " | ".join(headings) + " |"]
    lines.append("|---" + "|--:" * (len(headings) - 1) + "|")
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    lines += ["", *remarks, ""]
    torch = {side["versions"].get("torch") for side in result.get("sides", [])} - {None}
    versions = "".join(f", torch {version}" for version in torch)
    lines.append(
        f"<sub>`{result['command']}`, {result['repeats']} repeats, {result['date']}, commit {result['commit']}; "
        f"{machine.sentence(result['machine'])}{versions}</sub>\n"
    )
    return "\n".join(lines)
