"""One run over several processes of this machine: weak scaling, and how soon a signal to one has stopped all.

    python -m benchmarks.processes weak [EXPERIMENT …]
    python -m benchmarks.processes stop [EXPERIMENT …]

`weak`: 1, 2 and 4 processes, each with as many rows as the one has alone. Wall time a round depends on how many cores
are free; processor seconds a round and a process say what the work together costs, whoever else is at the machine. Both
are differences between a short and a long run, so that start-up and compilation are no part of them. `stop`: SIGTERM to
each of four processes in turn, the seconds until all have ended, and the step that was saved.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
QUIET = ("--evaluate-every", "0", "--sample-every", "0", "--checkpoint-every", "0", "--log-every", "20")


class Case(NamedTuple):
    """An experiment's options, its rows a process, and the rounds of the short and of the long run."""

    options: tuple[str, ...]
    rows: int
    short: int
    long: int


CASES = {
    "vae": Case(("--data", "digits"), 64, 500, 2500),
    "dcgan": Case(("--data", "digits", "--image-size", "32", "--width", "16"), 32, 20, 80),
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


def trained(experiment: str, processes: int, rounds: int) -> tuple[float, float]:
    """(seconds, processor seconds of all processes) of a run from its start to its end."""
    with tempfile.TemporaryDirectory() as folder:
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        subprocess.run(command(experiment, Path(folder) / "run", processes, rounds), check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return time.monotonic() - began, used


def weak(experiment: str, processes: int) -> dict[str, Any]:
    """Milliseconds a round: on the clock, and of a processor for each process."""
    case = CASES[experiment]
    short, long = (trained(experiment, processes, rounds) for rounds in (case.short, case.long))
    wall, used = (1000 * (more - less) / (case.long - case.short) for less, more in zip(short, long, strict=True))
    return {"experiment": experiment, "processes": processes, "rows": case.rows * processes,
            "ms a round": round(wall, 3), "processor ms a round and process": round(used / processes, 3)}  # fmt: skip


def stop(experiment: str, victim: int, processes: int = 4) -> dict[str, Any]:
    """SIGTERM to one of the processes while they train: seconds to the end of all, status, and what was saved."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        started = subprocess.Popen(
            command(experiment, run, processes, 10**7), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        while started.poll() is None and len(lines(run)) < 5:
            time.sleep(0.1)
        own = [
            int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal() and _is_of(path, started.pid)
        ]
        began = time.monotonic()
        os.kill(sorted(own)[victim], signal.SIGTERM)  # they are started in their order
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
