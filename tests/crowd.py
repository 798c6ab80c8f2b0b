"""Several processes that train one run on this machine, each started by hand, so that a test can stop or kill one."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from commands import one_device

from gen_jax.core.starting import COORDINATOR, PROCESS, PROCESSES


class Crowd:
    """`count` processes of `devices` CPU devices each; `words` is what they run, or a list of words for each. What
    the others than process 0 make their group may write, so that it is known by its mode."""

    def __init__(self, words: Sequence, count: int, devices: int = 1, **variables: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            at = f"127.0.0.1:{free.getsockname()[1]}"
        self.started = [
            _start(
                words if isinstance(words[0], str) else words[number],
                devices,
                {COORDINATOR: at, PROCESSES: str(count), PROCESS: str(number), **variables},
                umask=0o002 if number else 0o022,
            )
            for number in range(count)
        ]

    def ends(self, seconds: float = 240) -> list[tuple[int, str, str]]:
        """(status, standard output, standard error) of each, once all have ended."""
        until = time.monotonic() + seconds
        try:
            found = []
            for process in self.started:
                out, err = process.communicate(timeout=max(1.0, until - time.monotonic()))
                found.append((process.returncode, out, err))
            return found
        finally:
            for process in self.started:
                process.kill()

    def send(self, number: int, sent: signal.Signals) -> None:
        self.started[number].send_signal(sent)


def _start(words: Sequence[str], devices: int, variables: dict[str, str], umask: int) -> subprocess.Popen[str]:
    environment = one_device(**variables)
    environment["XLA_FLAGS"] += f" --xla_force_host_platform_device_count={devices}"
    return subprocess.Popen(
        [sys.executable, *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        umask=umask,
    )


def wait_for(seen, seconds: float = 240) -> None:
    """Until `seen()` is true."""
    until = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.05)


def alone(words: Sequence[str], devices: int, **variables: str) -> subprocess.CompletedProcess[str]:
    """The same command in one process."""
    environment = one_device(**variables)
    environment["XLA_FLAGS"] += f" --xla_force_host_platform_device_count={devices}"
    return subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True, timeout=300)


def words(bench, **asked: object) -> list[str]:
    """The command of a toy (see `toys`)."""
    from toys import ASKED

    options = {"data": f"folder:{bench.pictures}", "run_dir": bench.run, **ASKED, **asked}
    flags = [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    return [str(bench.script), *flags]


COUNTED = """
from pathlib import Path as _Path
from gen_jax.core import dealing as _dealing, processes as _processes
_dealt = _dealing.over_processes


def _counted(count, make):
    def made(numbers):
        with (_Path({folder!r}) / f"made-{{_processes.index()}}").open("a") as file:
            print(*numbers, "of", count, file=file)
        return make(numbers)

    return _dealt(count, made)


"""


def before_it_runs(script: Path, code: str) -> None:
    """Have a script do something, in each process, before it trains."""
    head, start, tail = script.read_text().partition('if __name__ == "__main__":\n')
    assert start, script
    script.write_text(f"{head}{start}{''.join(f'    {line}' for line in code.splitlines(True))}{tail}")


def counting(script: Path) -> None:
    """Have each process of a script say which numbers of a deal it is asked to make; `shares` reads it."""
    before_it_runs(script, COUNTED.format(folder=str(script.parent)) + "_dealing.over_processes = _counted\n")


def shares(script: Path, process: int) -> list[str]:
    """What a process of a `counting` script was asked to make: a line a deal, as in "1 3 of 4"."""
    path = script.parent / f"made-{process}"
    return path.read_text().splitlines() if path.exists() else []


def logged(run: Path) -> int:
    """The last step of metrics.jsonl."""
    from gen_jax.runs import log

    lines = log.read_lines(run) if (run / log.FILE).exists() else []
    return lines[-1]["step"] if lines else 0


def steps(run: Path) -> list[int]:
    folder = run / "checkpoints"
    return sorted(int(name) for name in os.listdir(folder) if name.isdecimal()) if folder.is_dir() else []


def digest(run, step=None):
    from gen_jax.runs.checkpoint import open_checkpoints

    with open_checkpoints(run, writable=False) as checkpoints:
        return checkpoints.digest(step)


def sane(ends, status=0):
    """All ended with this status, and the others than process 0 said nothing."""
    assert [end[0] for end in ends] == [status] * len(ends), ends
    assert all(not out and not err for _, out, err in ends[1:]), ends
    return ends[0]


def lines(run):
    read = (json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines())
    return [{name: value for name, value in line.items() if name not in ("seconds", "crc32")} for line in read]


def names(run):
    """What is in a run's folder but for the names that Orbax and TensorBoard choose by chance."""
    found = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}
    return {name for name in found if "/d/" not in name and "events" not in name}


def written_by_others(run):
    """The files and folders of a run that another process than process 0 made (see `crowd`)."""
    return [str(path.relative_to(run)) for path in run.rglob("*") if path.stat().st_mode & stat.S_IWGRP]
