"""What trusting a run costs it: processor time of every check, beside that of the run whose parts they are.

    python -m benchmarks.checks [--steps 0] [--only gan vae]

Each experiment is trained once by its defaults (`--steps`, where given), in this process, with a stopwatch around each
check: domains and the rehearsal on shapes, the fingerprints of code and data, what is compared with the run before,
digests, reading back what was saved, and checksums of metrics. The stopwatch is the thread's own, so that neighbours do
not matter, and both sides of the ratio are of one run: it is paired by its making. The model is built during the
rehearsal, and would be without it: that is taken out. What the later compilation saves, for parts are traced by then,
is not; nor is what any first trace of a process costs.
"""

import contextlib
import functools
import importlib.util
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from gen_jax.core.platform import configure
from gen_jax.runs import command, identity, local_code, log, orbax_folder, rehearsal, shared, state_arrays, train
from gen_jax.runs.exits import exit_with

ROOT = Path(__file__).parents[1]
CHECKS: tuple[tuple[ModuleType, str], ...] = (
    (rehearsal, "check"),
    (rehearsal, "rehearse"),
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

    def without(self, call: Any) -> Any:
        """`call`, whose time is taken off that of the rehearsal around it."""

        def timed(*args: Any) -> Any:
            began = time.thread_time()
            try:
                return call(*args)
            finally:
                name = "rehearsal.rehearse"
                self.seconds[name] = self.seconds.get(name, 0.0) - (time.thread_time() - began)

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


def main(settings: Settings) -> None:
    """Train, and print a row an experiment."""
    from rich.console import Console
    from rich.table import Table

    configure()
    table = Table(title="processor time of the checks")
    for column in ("run", "rounds", "run (s)", "checks (s)", "share", "the largest"):
        table.add_column(column)
    for name in settings.only:
        script = ROOT / "experiments" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(name, script)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        with tempfile.TemporaryDirectory() as scratch:
            given = {"steps": settings.steps} if settings.steps else {}
            config = module.Config(run_dir=Path(scratch) / "run", **given)
            began = time.process_time()
            with watched() as watch:
                train.train(config, watch.without(module.build), script)
            whole = time.process_time() - began
        checks = sum(watch.seconds.values())
        largest = sorted(watch.seconds.items(), key=lambda one: -one[1])[:3]
        told = ", ".join(f"{check} {seconds:.2f}" for check, seconds in largest)
        table.add_row(name, str(config.steps), f"{whole:.1f}", f"{checks:.2f}", f"{checks / whole:.2%}", told)
    Console(width=140).print(table)


if __name__ == "__main__":
    with exit_with():
        main(command.read(Settings, description=__doc__ or ""))
