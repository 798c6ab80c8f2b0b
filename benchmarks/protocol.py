"""How the benchmark talks to its workers: a process a side, one line of JSON each way. Imports neither JAX nor torch.

A worker prints {"ready": {...}} once it can run; then each {"run": n} on its input is answered by {"seconds": s}, and
{"end": true} by {"peak_mib": m}. What libraries print goes to standard error. Sides wait for their turn asleep, so
each has the machine to itself, its own memory to account for, and may live in another Python environment.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


class Lines:
    """The worker's end."""

    def __init__(self) -> None:
        self.out = os.fdopen(os.dup(1), "w", buffering=1)
        os.dup2(2, 1)

    def say(self, **message: Any) -> None:
        self.out.write(json.dumps(message) + "\n")

    def ready(self, **facts: Any) -> None:
        self.say(ready=facts)

    def serve(
        self,
        run: Callable[[int], float],
        memory: Callable[[], float],
        profile: Callable[[int], dict[str, Any]] | None = None,
    ) -> None:
        for line in sys.stdin:
            message = json.loads(line)
            if "profile" in message:
                self.say(profile=profile(message["profile"]) if profile else {})
                continue
            if "end" in message:
                self.say(peak_mib=memory())
                return
            self.say(seconds=run(message["run"]))


class Worker:
    """The benchmark's end: a process, which can run once it is `ready`. RuntimeError, with its last words, if not."""

    def __init__(
        self,
        python: str,
        module: str,
        spec: dict[str, Any],
        cpus: list[int],
        environment: dict[str, str] | None = None,
        wait: bool = True,
    ):
        self.errors = Path(os.environ.get("TMPDIR", "/tmp")) / f"gen-jax-bench-{os.getpid()}-{id(self)}.log"
        # One thread a core for whatever counts by environment; JAX counts the cores that it may use.
        threads = str(len(cpus))
        self.process = subprocess.Popen(
            [python, "-m", module, json.dumps(spec)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors.open("w"),
            text=True,
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, **(environment or {})},
            preexec_fn=lambda: os.sched_setaffinity(0, cpus),
        )
        self.facts: dict[str, Any] = {}
        if wait:
            self.ready()

    def ready(self) -> "Worker":
        """Wait until it can run."""
        self.facts = self._answer()["ready"]
        return self

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            words = [w for w in self.errors.read_text().splitlines() if w.strip()]
            self.errors.unlink(missing_ok=True)
            raise RuntimeError("\n".join(words[-12:]) or f"worker ended with status {self.process.returncode}")
        return json.loads(line)

    def _ask(self, **message: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def run(self, count: int) -> float:
        """Seconds for `count` rounds."""
        return self._ask(run=count)["seconds"]

    def profile(self, count: int) -> dict[str, Any]:
        """What the device did in `count` rounds (see `kernels`)."""
        return self._ask(profile=count)["profile"]

    def end(self) -> float:
        """Stop it; its peak memory in MiB since it was ready."""
        peak = self._ask(end=True)["peak_mib"]
        self.process.wait()
        self.errors.unlink(missing_ok=True)
        return peak

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.errors.unlink(missing_ok=True)


def clock() -> float:
    """Seconds. With BENCHMARK_CLOCK=cpu those of this process on the processor: on a single core that others use too,
    the only fair ones (with several cores they would add up)."""
    return time.process_time() if os.environ.get("BENCHMARK_CLOCK") == "cpu" else time.perf_counter()


def reset_peak() -> None:
    """Forget the most memory that this process has held, so that compiling does not count as running."""
    with contextlib.suppress(OSError):  # not Linux: the peak then includes compiling
        Path("/proc/self/clear_refs").write_text("5")


def peak_mib() -> float:
    """The most memory held since `reset_peak`, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
