"""What trusting a run costs it: processor time of every check, beside that of the run whose parts they are.

    python -m benchmarks.checks [--steps 0] [--only gan vae]

Each experiment is trained once by its defaults (`--steps`, where given), in this process, with a stopwatch around each
check: domains, the fingerprints of code and data, what is compared with the run before, digests, reading back what was
saved, and checksums of metrics. The stopwatch is the thread's own, so that neighbours do not matter, and both sides of
the ratio are of one run: it is paired by its making. The rehearsal on shapes makes a trace that the program is then
compiled from, so it is measured by a difference: processes that start with it and without it take turns
(`benchmarks/start.py`), and the median of what one takes more than the other is what it costs.
"""

import contextlib
import functools
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any

from benchmarks.start import ROOT, script_of
from gen_jax.core.platform import configure
from gen_jax.runs import command, identity, local_code, log, orbax_folder, rehearsal, shared, state_arrays, train
from gen_jax.runs.exits import exit_with

CHECKS: tuple[tuple[ModuleType, str], ...] = (
    (rehearsal, "check"),
    (identity, "of_other_data"),
    (identity, "of_other_code"),
    (identity, "of"),
    (local_code, "of"),
    (shared, "agree"),
    (shared, "same_state"),
    (state_arrays, "digest_of"),
    (orbax_folder, "read"),
    (orbax_folder, "read_index"),
    (log, "encode"),
)


@dataclass(frozen=True)
class Settings:
    """What is trained."""

    only: tuple[str, ...] = ("gan", "vae", "dcgan")
    """experiments, by their defaults"""
    steps: int = 0
    """rounds of each; 0: as many as the script has"""
    pairs: int = 5
    """of starts, with the rehearsal and without"""


class Stopwatch:
    """Processor seconds by check; a check within a check is counted once, for the outer one."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._inside = threading.local()

    def around(self, name: str, call: Any) -> Any:
        @functools.wraps(call)
        def timed(*args: Any, **kwargs: Any) -> Any:
            if getattr(self._inside, "yes", False):
                return call(*args, **kwargs)
            self._inside.yes = True
            began = time.thread_time()
            try:
                return call(*args, **kwargs)
            finally:
                self._inside.yes = False
                self.seconds[name] = self.seconds.get(name, 0.0) + time.thread_time() - began

        return timed


@contextlib.contextmanager
def watched() -> Iterator[Stopwatch]:
    """A stopwatch around each check."""
    watch, before = Stopwatch(), [getattr(module, name) for module, name in CHECKS]
    for module, name in CHECKS:
        setattr(module, name, watch.around(f"{module.__name__.rpartition('.')[2]}.{name}", getattr(module, name)))
    try:
        yield watch
    finally:
        for (module, name), call in zip(CHECKS, before, strict=True):
            setattr(module, name, call)


def rehearsed(name: str, pairs: int) -> float:
    """Seconds that a start with a rehearsal takes more than one without; below 0 where it takes less."""

    def start(how: str) -> float:
        command = [sys.executable, "-m", "benchmarks.start", name, how]
        return float(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)

    return median(start("with") - start("without") for _ in range(pairs))


def main(settings: Settings) -> None:
    """Train, and print a row an experiment."""
    from rich.console import Console
    from rich.table import Table

    configure()
    table = Table(title="processor time of the checks")
    for column in ("run", "rounds", "run (s)", "checks (s)", "share", "the largest"):
        table.add_column(column)
    for name in settings.only:
        script, module = script_of(name)
        with tempfile.TemporaryDirectory() as scratch:
            given = {"steps": settings.steps} if settings.steps else {}
            config = module.Config(run_dir=Path(scratch) / "run", **given)
            began = time.process_time()
            with watched() as watch:
                train.train(config, module.build, script)
            whole = time.process_time() - began
        watch.seconds["rehearsal"] = rehearsed(name, settings.pairs)
        checks = sum(watch.seconds.values())
        largest = sorted(watch.seconds.items(), key=lambda one: -one[1])[:3]
        told = ", ".join(f"{check} {seconds:.2f}" for check, seconds in largest)
        table.add_row(name, str(config.steps), f"{whole:.1f}", f"{checks:.2f}", f"{checks / whole:.2%}", told)
    Console(width=140).print(table)


if __name__ == "__main__":
    with exit_with():
        main(command.read(Settings, description=__doc__ or ""))
