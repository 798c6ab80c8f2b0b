"""The races of `benchmarks.gpu`: all sides get ready at the same time, and are timed one by one afterwards."""

import sys
import threading
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.gpu_cases import Case, cases
from benchmarks.gpu_clock import Clock
from benchmarks.protocol import Worker

PROFILED = 50  # rounds: the profiler loses most of what it sees of hundreds of thousands of launches
GETTING_READY = 0.42  # the share of the time after which what is not ready is left out


class Side:
    """One side of one race, which gets ready in the background."""

    def __init__(self, case: Case, name: str, worker: Worker) -> None:
        self.case, self.name, self.worker = case, name, worker
        self.ready, self.failure = threading.Event(), ""
        threading.Thread(target=self._wait, daemon=True).start()

    def _wait(self) -> None:
        try:
            self.worker.ready()
            self.ready.set()
        except (RuntimeError, OSError, ValueError) as error:
            self.failure = str(error).strip().splitlines()[-1][:200] if str(error).strip() else type(error).__name__


def races(clock: Clock, folder: Path) -> None:
    chosen = [
        case for case in cases(clock.settings.scale) if not clock.settings.only or case.name in clock.settings.only
    ]
    until = clock.began + 60 * clock.settings.minutes * GETTING_READY
    sides: list[Side] = []
    try:
        sides += [start_ours(clock, case, folder, False) for case in chosen]
        if clock.settings.torch_python:
            for way in clock.settings.ways:
                sides += [start_theirs(clock, case, folder, way, until) for case in chosen if way in case.ways]
        sides += [start_ours(clock, case, folder, True) for case in chosen if case.deterministic]
        while time.monotonic() < until and not all(side.ready.is_set() or side.failure for side in sides):
            time.sleep(0.1)
        for side in sides:
            if not side.ready.is_set():
                clock.say(f"{side.case.name}, {side.name}: {side.failure or 'not ready in time, left out'}")
                side.worker.kill()
        clock.say("everybody is ready; turns begin")
        for case in chosen:
            mine = [side for side in sides if side.case is case and side.ready.is_set()]
            if mine and clock.left > 10:
                race(clock, case, mine)
    finally:
        for side in sides:
            side.worker.kill()


def start_ours(clock: Clock, case: Case, folder: Path, deterministic: bool) -> Side:
    spec = {"experiment": case.race.experiment, "settings": case.settings, "deterministic": deterministic}
    data = {} if deterministic else {"data": str(folder / f"{case.name}.npz")}
    # A cache of its own: what is told of compiling is of a cold one.
    cache = {"JAX_COMPILATION_CACHE_DIR": str(folder / f"cache-{case.name}-{deterministic}")}
    worker = Worker(sys.executable, "benchmarks.ours", spec | data, clock.cpus, cache, wait=False)
    return Side(case, "gen_jax, deterministic" if deterministic else "gen_jax", worker)


def start_theirs(clock: Clock, case: Case, folder: Path, way: str, until: float) -> Side:
    data = folder / f"{case.name}.npz"
    while not data.exists() and time.monotonic() < until:
        time.sleep(0.05)
    spec = {"data": str(data), "peer": case.race.peer, "settings": case.peer_settings, "way": way, "tf32": True}
    spec |= {"device": clock.settings.device, "bfloat16": case.bfloat16}
    python = clock.settings.torch_python or ""
    return Side(case, way, Worker(python, "benchmarks.peers.worker", spec, clock.cpus, wait=False))


def race(clock: Clock, case: Case, sides: list[Side]) -> None:
    """Turns of all sides that are ready; the table; the verdict."""
    turns: dict[str, list[float]] = {side.name: [] for side in sides}
    counts = {side.name: rounds_a_turn(side, clock.settings.seconds) for side in sides}
    for _ in range(clock.settings.repeats):
        for side in sides:
            turns[side.name].append(side.worker.run(counts[side.name]) / counts[side.name])
    facts = {side.name: side.worker.facts for side in sides}
    result: dict[str, Any] = {
        "title": case.title,
        "bar": case.bar,
        "bfloat16": case.bfloat16,
        "turns": turns,
        "seconds": {name: median(found) for name, found in turns.items()},
        "compile_seconds": {name: found["compile_seconds"] for name, found in facts.items()},
        "matmul": {name: found["matmul"] for name, found in facts.items()},
        "versions": {k: v for found in facts.values() for k, v in found["versions"].items()},
        "failures": {},
    }
    parameters = {name: sum(found["parameters"].values()) for name, found in facts.items()}
    if len(set(parameters.values())) > 1:
        clock.say(f"{case.name}: the sides are different networks, by number of parameters: {parameters}")
    ours = next((side for side in sides if side.name == "gen_jax"), None)
    if ours is not None:
        result |= {k: facts["gen_jax"][k] for k in ("flops", "examples", "device")}
        result["profile"] = ours.worker.profile(min(PROFILED, case.per_call))
    clock.keep(case.name, result)
    tell(clock, case, result)
    for side in sides:
        side.worker.kill()


def rounds_a_turn(side: Side, seconds: float) -> int:
    """As many rounds as fill a turn: of this project whole calls, unless a round alone fills it."""
    took = min(side.worker.run(1) for _ in range(2))
    a_call = side.case.per_call if side.name.startswith("gen_jax") else 1
    if took > seconds:  # what is called as rarely as that is slow: two rounds say so
        return 2
    took = side.worker.run(a_call) / a_call if a_call * took < 30 * seconds else took
    return (
        max(1, round(seconds / took / a_call)) * a_call
        if a_call * took < 2 * seconds
        else max(2, round(seconds / took))
    )


def tell(clock: Clock, case: Case, result: dict[str, Any]) -> None:
    clock.say(f"{case.name}: {case.title}")
    for name, seconds in result["seconds"].items():
        low, high = min(result["turns"][name]), max(result["turns"][name])
        line = f"    {name:24} {1e3 * seconds:9.4f} ms a round ({1e3 * low:.4f} to {1e3 * high:.4f})"
        line += f", ready after {result['compile_seconds'][name]:.0f} s"
        if "flops" in result:
            rate = result["matmul"][name]
            line += f", {result['flops'] / seconds / rate:.1%} of {rate / 1e12:.0f} TFLOP/s"
        print(line, flush=True)
    ours = result["seconds"].get("gen_jax")
    theirs = {n: s for n, s in result["seconds"].items() if not n.startswith("gen_jax")}
    if ours and theirs:
        best = min(theirs, key=lambda name: theirs[name])
        result["speed_up"] = theirs[best] / ours
        verdict = (
            ""
            if case.bar is None
            else f" (bar {case.bar}: {'reached' if theirs[best] / ours >= case.bar else 'missed'})"
        )
        print(f"    {theirs[best] / ours:.2f} times the images/s of PyTorch's best, {best}{verdict}", flush=True)
    if profile := result.get("profile"):
        busy = profile["busy_ms"] / (1e3 * ours) if ours else 0
        print(f"    {profile['kernels']:.0f} launches a round, {profile['busy_ms']:.3f} ms of kernels: {busy:.0%} busy")
        for name, launches, microseconds in profile["dearest"]:
            print(f"      {microseconds:8.2f} us {launches:6.2f} x {name}", flush=True)
