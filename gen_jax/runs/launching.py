"""Processes of one run on this machine: started together, signalled together, ended together."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from gen_jax.core.lines import say
from gen_jax.core.starting import COORDINATOR, LAUNCHED, PROCESS, PROCESSES
from gen_jax.runs.signals import Signals

AFTER = 30.0  # seconds that the others have, once one has ended, before they are killed
DEVICES = "--xla_force_host_platform_device_count"


def run(command: Sequence[str], processes: int, devices_each: int | None) -> int:
    """Run so many processes of a Python command to their end; the status is that of the first that failed, 0 of none.

    On a CPU each has `devices_each` devices (1 by default); of GPUs, as many, process by process. A signal is passed on
    to all, which save and end together.
    """
    port = _free_port()
    shared = {
        **os.environ,
        COORDINATOR: f"127.0.0.1:{port}",
        PROCESSES: str(processes),
        LAUNCHED: str(os.getpid()),
        "PYTHONPATH": os.pathsep.join(filter(None, [_root(), os.environ.get("PYTHONPATH")])),
    }
    with Signals() as signals:
        started = [
            subprocess.Popen(
                [sys.executable, *command],
                env={**shared, **_devices(number, devices_each), PROCESS: str(number)},
                stdin=subprocess.DEVNULL,
                process_group=0,  # a terminal's Ctrl-C comes by way of us, once
            )
            for number in range(processes)
        ]
        return _follow(started, signals)


def _follow(started: Sequence[subprocess.Popen], signals: Signals) -> int:
    told, ended, until = False, list[int](), float("inf")
    while len(ended) < len(started):
        if signals.received is not None and not told:
            told = True
            for process in started:
                if process.poll() is None:
                    process.send_signal(signals.received)
        for number, process in enumerate(started):
            if number not in ended and process.poll() is not None:
                ended.append(number)
                if process.returncode and until == float("inf"):
                    until = time.monotonic() + AFTER
        if time.monotonic() > until:
            for process in started:
                process.kill()
        time.sleep(0.05)
    return _status(started, ended)


def _status(started: Sequence[subprocess.Popen], ended: Sequence[int]) -> int:
    """That of the first that failed. Process 0 tells how others ended; of process 0 it is told here."""
    failed = [number for number in ended if started[number].returncode]
    own = started[0].returncode
    if own < 0:
        say(
            f"error: process 0 was ended by signal {-own}, and the others with it; what was saved before is intact, "
            "and the same command continues, with any number of processes"
        )
    statuses = [started[0].returncode] if own else [started[number].returncode for number in failed]
    status = next(iter(statuses), 0)
    return 128 - status if status < 0 else status


def _devices(number: int, each: int | None) -> Mapping[str, str]:
    """Which devices a process has: of GPUs its own, of the CPU so many."""
    platforms = os.environ.get("JAX_PLATFORMS", "")
    if platforms == "cpu" or not _gpus():
        flags = [flag for flag in os.environ.get("XLA_FLAGS", "").split() if not flag.startswith(DEVICES)]
        return {"XLA_FLAGS": " ".join([*flags, f"{DEVICES}={each or 1}"]), "JAX_PLATFORMS": platforms or "cpu"}
    each = each or 1
    seen = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    names = seen.split(",") if seen else [str(gpu) for gpu in range(len(_gpus()))]
    return {"CUDA_VISIBLE_DEVICES": ",".join(names[number * each : (number + 1) * each])}


def _gpus() -> list[Path]:
    return [path for path in Path("/dev").glob("nvidia*") if path.name.removeprefix("nvidia").isdecimal()]


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _root() -> str:
    import gen_jax

    return str(Path(gen_jax.__file__).parents[1])
