"""The GPU's part of docs/performance.md: `python -m benchmarks.gpu_report gpu.json docs/performance.md`.

`benchmarks.gpu` writes the JSON on the machine that has the GPU; this merges it into what is kept beside the document.
A list "notes" in it, if somebody adds one, is printed under the figures.
"""

import json
import sys
from pathlib import Path
from typing import Any

from benchmarks import machine

WAYS = {
    "eager": "eager",
    "compiled": "compiled",
    "graph": "one CUDA graph",
    "compiled_graph": "compiled, one CUDA graph",
}
INTRODUCTION = """## On a GPU

`python -m benchmarks.gpu` on one machine in one call: the races of above in PyTorch's four ways, a whole training step
captured as one CUDA graph (eager or compiled) among them. *Speed-up* is our images/s over those of PyTorch's best way:
above 1 is faster than PyTorch. *Launches* are kernels and copies a round, *busy* the share of a round in which one of
them runs, by JAX's profiler. TF32 is on for both sides' float32.
"""


def section(found: dict[str, Any]) -> str:
    """The part of the document."""
    results = found["results"]
    lines = [INTRODUCTION, *race_table(results), "", *alone(results), *(f"- {note}" for note in found.get("notes", []))]
    card = next((result["device"] for result in results.values() if "device" in result), "a GPU")
    versions = {k: v for result in results.values() if "versions" in result for k, v in result["versions"].items()}
    told = f"torch {versions['torch']}" if "torch" in versions else "no PyTorch"
    source = f"`python -m benchmarks.gpu`, {found['date']}, commit {found['commit']}"
    lines += ["", f"<sub>{source}; one {card}, {machine.sentence(found['machine'])}; {told}</sub>", ""]
    return "\n".join(lines)


def race_table(results: dict[str, Any]) -> list[str]:
    lines = ["| round | ours, ms | " + " | ".join(f"PyTorch, {way}" for way in WAYS.values())]
    lines[0] += " | speed-up | bar | launches | busy | ready, s |"
    lines.append("|---" + "|--:" * (len(WAYS) + 6) + "|")
    for result in (result for result in results.values() if "bar" in result):
        seconds, ours = result["seconds"], result["seconds"].get("gen_jax")
        cells = [result["title"], _ms(ours), *(_ms(seconds.get(way)) for way in WAYS)]
        best = min((value for name, value in seconds.items() if name in WAYS), default=None)
        cells += [f"**{best / ours:.2f}**" if best and ours else "", str(result["bar"])]
        profile = result.get("profile") or {}
        busy = f"{profile['busy_ms'] / (1e3 * ours):.0%}" if profile and ours else ""
        cells += [f"{profile['kernels']:.0f}" if profile else "", busy]
        cells.append(f"{result['compile_seconds'].get('gen_jax', 0):.0f}")
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def alone(results: dict[str, Any]) -> list[str]:
    """What was measured of this project by itself, a line each."""
    lines = ["Sides get ready side by side, so *ready* is longer than it is alone.", ""]
    for result in (result for result in results.values() if "bar" in result):
        slow, ours = result["seconds"].get("gen_jax, deterministic"), result["seconds"].get("gen_jax")
        if slow and ours:
            lines.append(
                f"- `--deterministic`, {result['title']}: {1e3 * slow:.3f} ms a round, {slow / ours:.2f} times."
            )
    if found := results.get("seeds"):
        lines += [f"- {row[0]}: {found['columns'][2]} {row[2]}, {row[3]} times one." for row in found["rows"]]
    for state, took in results.get("start-up", {}).items():
        first = took["all"] - took["imports"] - took["built"]
        lines.append(
            f"- Start-up of DCGAN-64, {state} cache: {first:.1f} s for the program and the first rounds, "
            f"{took['all']:.1f} s from `python` on."
        )
    if found := results.get("events"):
        lines.append(
            f"- A default run of `dcgan` ({found['steps']} rounds of {found['round_ms']:.3f} ms): "
            f"{found['seconds']:.2f} s from its first call to its end, {found['outside']:.0%} outside its program."
        )
    if found := results.get("defaults"):
        kinds = set(found.values())
        words = "all numbers finite" if kinds == {"all finite"} else json.dumps(found)
        names = dict.fromkeys(case.partition(", ")[0] for case in found)
        lines.append(f"- 200 rounds of {', '.join(names)} by their defaults, in bfloat16 and in float32: {words}.")
    return lines


def _ms(seconds: float | None) -> str:
    return "" if seconds is None else f"{1e3 * seconds:.3f}"


def main(source: str, document: str) -> None:
    from benchmarks import report  # which renders this section among others

    found = json.loads(Path(source).read_text())
    report.write(Path(document), {"gpu": found | {"commit": found.get("commit") or machine.commit()}})


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1].startswith("-"):
        sys.exit("usage: python -m benchmarks.gpu_report RESULTS.json DOCUMENT.md")
    main(*sys.argv[1:])
