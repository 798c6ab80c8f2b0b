"""One run over several processes of this machine: weak scaling, and how soon a signal to one has stopped all.

    python -m benchmarks.processes weak [EXPERIMENT …]
    python -m benchmarks.processes stop [EXPERIMENT …]

`weak`: 1, 2 and 4 processes, each with as many rows as the one has alone. Wall time a round depends on how many cores
are free; processor seconds a round and a process say what the work together costs, whoever else is at the machine. Both
are read while the run trains, between two of its lines, half a minute apart.
`stop`: SIGTERM to each of four processes in turn, the seconds until all have ended, and the step that was saved.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
QUIET = ("--evaluate-every", "0", "--sample-every", "0", "--checkpoint-every", "0", "--log-every", "20")


class Case(NamedTuple):
    """An experiment's options, and its rows a process."""

    options: tuple[str, ...]
    rows: int


CASES = {
    "vae": Case(("--data", "digits"), 64),
    "dcgan": Case(("--data", "digits", "--image-size", "32", "--width", "16"), 32),
}


def command(experiment: str, run: Path, processes: int, rounds: int) -> list[str]:
    """`launch` of an experiment."""
    case = CASES[experiment]
    asked = ["--batch-size", str(case.rows * processes), "--steps", str(rounds), "--run-dir", str(run), *QUIET]
    script = str(ROOT / "experiments" / f"{experiment}.py")
    launched = [sys.executable, "-m", "gen_jax", "launch", "--processes", str(processes), "--"]
    return [*launched, script, *case.options, *asked]


def lines(run: Path) -> list[dict[str, Any]]:
    """What metrics.jsonl has by now."""
    path = run / "metrics.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")] if path.exists() else []


@contextlib.contextmanager
def training(experiment: str, processes: int) -> Iterator[tuple[Path, subprocess.Popen, list[int]]]:
    """(run folder, `launch`, its processes in their order) of a run that would go on for hours, once it has trained."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        started = subprocess.Popen(
            command(experiment, run, processes, 10**7), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        while started.poll() is None and len(lines(run)) < 5:
            time.sleep(0.1)
        if started.poll() is not None:
            raise SystemExit(started.communicate()[1])
        own = [
            int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal() and _is_of(path, started.pid)
        ]
        try:
            yield run, started, sorted(own)
        finally:
            if started.poll() is None:
                started.terminate()
                started.communicate()


def weak(experiment: str, processes: int, seconds: float = 30.0) -> dict[str, Any]:
    """Milliseconds a round: on the clock, and of a processor for each process."""
    with training(experiment, processes) as (run, _, own):
        first = _at_a_line(run, own)
        time.sleep(seconds)
        rounds, wall, used = (after - before for before, after in zip(first, _at_a_line(run, own), strict=True))
    return {"experiment": experiment, "processes": processes, "rows": CASES[experiment].rows * processes,
            "ms a round": round(1000 * wall / rounds, 2),
            "processor ms a round and process": round(1000 * used / rounds / processes, 2)}  # fmt: skip


def _at_a_line(run: Path, processes: list[int]) -> tuple[float, float, float]:
    """(step, seconds, processor seconds of all) at the moment of the next line."""
    before = lines(run)[-1]["step"]
    while lines(run)[-1]["step"] == before:
        time.sleep(0.05)
    ticks = 0
    for process in processes:
        ticks += sum(map(int, (Path("/proc") / str(process) / "stat").read_text().rpartition(")")[2].split()[11:13]))
    return lines(run)[-1]["step"], time.monotonic(), ticks / os.sysconf("SC_CLK_TCK")


def stop(experiment: str, victim: int, processes: int = 4) -> dict[str, Any]:
    """SIGTERM to one of the processes while they train: seconds to the end of all, status, and what was saved."""
    with training(experiment, processes) as (run, started, own):
        began = time.monotonic()
        os.kill(own[victim], signal.SIGTERM)
        _, said = started.communicate()
        seconds = time.monotonic() - began
        saved = sorted(int(path.name) for path in (run / "checkpoints").iterdir() if path.name.isdecimal())
    return {"experiment": experiment, "signalled": victim, "seconds": round(seconds, 1), "status": started.returncode,
            "saved": saved, "said": said.strip().splitlines()[-1].split(" in ")[0]}  # fmt: skip


def _is_of(process: Path, parent: int) -> bool:
    """Whether a folder of /proc is that of a child of `parent`."""
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1]) == parent
    except OSError:
        return False


def main() -> None:
    """The command: a line of JSON for each measurement."""
    what, *names = sys.argv[1:]
    for name in names or CASES:
        for number in (1, 2, 4) if what == "weak" else range(4):
            print(json.dumps(weak(name, number) if what == "weak" else stop(name, number)), flush=True)


if __name__ == "__main__":
    main()
