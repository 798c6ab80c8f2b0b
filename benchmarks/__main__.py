"""Speed, measured: `python -m benchmarks [CASE ...]`; without a case, all of them.

    python -m benchmarks dcgan-64                            # one race against PyTorch, in turns
    python -m benchmarks mlp-vae-20 loop --repeats 9
    python -m benchmarks --write docs/performance.md         # all, into the document
    python -m benchmarks --list

Races want PyTorch, which `make bench` installs into an environment of its own (.venv-bench); --torch-python names
another interpreter that has it. Both sides get the same cores: those of --cpus, else those that this process may use.
--write keeps what was measured beside the document, as JSON, and renders the document from all of it: cases may be
run in several sittings, and each says when, on what and at which commit it ran.
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from benchmarks import machine, races, report
from benchmarks.cases import MEASURES, RACES
from benchmarks.protocol import ROOT, Worker

MEASURE_SECONDS = 2.0  # about how long a turn lasts where this project runs alone


@dataclass(frozen=True)
class Settings:
    cases: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """which; see --list"""
    repeats: int = 7
    """turns of each side; the figures are medians"""
    seconds: float = 8.0
    """about how long a turn of a race lasts; one round at least"""
    cpus: tuple[int, ...] = ()
    """cores for both sides"""
    ways: tuple[str, ...] = ("eager", "compiled")
    """of PyTorch; the better one counts"""
    torch_python: str | None = None
    """an interpreter that has PyTorch"""
    write: Path | None = None
    """a document to write the results into"""
    list: bool = False
    """name the cases and end"""


def main(settings: Settings) -> int:
    known = [*RACES, *MEASURES]
    if settings.list:
        print("\n".join(f"{name:16} {RACES[name].title if name in RACES else report.title(name)}" for name in known))
        return 0
    if unknown := [name for name in settings.cases if name not in known]:
        print(f"no case is called {', '.join(unknown)}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    if settings.repeats < 1:
        print(f"--repeats {settings.repeats}: at least 1", file=sys.stderr)
        return 2
    chosen = settings.cases or tuple(known)
    cpus = list(settings.cpus) or sorted(os.sched_getaffinity(0))
    torch = find_torch(settings.torch_python) if set(chosen) & set(RACES) else None
    if torch is None and set(chosen) & set(RACES):
        print("no PyTorch here: races run this side alone. `make bench` installs it; or name an interpreter that has")
        print("it with --torch-python")
    options = races.Options(settings.repeats, settings.seconds, cpus, torch, settings.ways)
    failed = 0
    for name in chosen:
        print(f"{name} …", flush=True)
        try:
            result = report.of_race(races.run(RACES[name], options)) if name in RACES else measured(name, options)
        except RuntimeError as error:
            print(f"  failed: {error}", file=sys.stderr)
            failed += 1
            continue
        result |= {"machine": machine.describe(cpus), "commit": machine.commit(), "date": machine.today()}
        result |= {"repeats": settings.repeats, "command": f"python -m benchmarks {name}"}
        report.show(name, result)
        if settings.write:
            report.write(settings.write, {name: result})
    return 1 if failed else 0


def measured(name: str, options: races.Options) -> dict:
    """The result of a measure, from a process of its own."""
    spec = {"name": name, "repeats": options.repeats, "seconds": MEASURE_SECONDS}
    worker = Worker(sys.executable, "benchmarks.measures", spec, options.cpus)
    return worker.facts | {"peak_mib": worker.end()}


def find_torch(asked: str | None) -> str | None:
    """The first interpreter that imports torch: the one asked for, this one, .venv-bench's. An asked one must."""
    bench = ROOT / ".venv-bench" / "bin" / "python"
    for python in [asked] if asked else [str(bench), sys.executable]:
        if python and Path(python).exists():
            done = subprocess.run([python, "-c", "import torch, numpy"], capture_output=True)
            if done.returncode == 0:
                return python
    if asked:
        raise SystemExit(f"{asked} cannot import torch and numpy; --torch-python wants an interpreter that can")
    return None


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Settings, description=__doc__)))
