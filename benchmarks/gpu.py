"""All of the GPU's figures in one call of at most six minutes: `python -m benchmarks.gpu --torch-python PYTHON`.

Races against PyTorch in its four ways (eager, compiled, and a whole step as one CUDA graph, eager or compiled), with
launches a round and the share of the time that the GPU is busy from the profiler; what `--deterministic` costs; 16
seeds by `vmap` against one; start-up, cold and warm; the share of a default run that is not its program; and default
experiments for 200 rounds in both precisions, all finite.

All sides of all races get ready at the same time, for most of it is compiling, and are timed one by one afterwards;
what is not ready by then is left out and named. Each part comes in order of what it would cost to lose it, and results
go to --write as they come, so that a call that is cut short loses nothing. `--device cpu --scale 0.125` is the
rehearsal: the same code, small and slow.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import tyro

from benchmarks import machine
from benchmarks.cases import RACES, start_up
from benchmarks.gpu_cases import Case, cases
from benchmarks.protocol import ROOT, Worker

PARTS = ("races", "events", "start-up", "seeds", "defaults")
DEFAULTS = ("dcgan", "wgan_gp", "beta_vae", "cgan", "vae_gan")  # for 200 rounds each, in both precisions
PROFILED = 50  # rounds: the profiler loses most of what it sees of hundreds of thousands of launches
GETTING_READY = 0.42  # the share of the time after which what is not ready is left out


@dataclass(frozen=True)
class Settings:
    torch_python: str | None = None
    """an interpreter that has PyTorch for this GPU; none: this side alone"""
    minutes: float = 6.0
    """for everything"""
    device: str = "cuda"
    """or cpu, to rehearse"""
    scale: float = 1.0
    """of widths and batches, to rehearse"""
    repeats: int = 4
    seconds: float = 0.3
    """about how long a turn lasts"""
    ways: tuple[str, ...] = ("graph", "compiled_graph", "eager", "compiled")
    """of PyTorch, in order of importance"""
    only: tuple[str, ...] = ()
    """races; all without it"""
    parts: tuple[str, ...] = PARTS
    write: Path = Path("gpu.json")
    """where the results go"""


class Clock:
    """The time of the call, and what was found in it."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.began = settings, time.monotonic()
        self.results: dict[str, Any] = {}
        self.cpus = sorted(os.sched_getaffinity(0))

    @property
    def left(self) -> float:
        return 60 * self.settings.minutes - (time.monotonic() - self.began)

    def say(self, line: str) -> None:
        print(f"[{time.monotonic() - self.began:4.0f} s] {line}", flush=True)

    def keep(self, name: str, result: dict[str, Any]) -> None:
        self.results[name] = result
        found = {"machine": machine.describe(self.cpus), "date": machine.today(), "results": self.results}
        self.settings.write.write_text(json.dumps(found, indent=1))


def main(settings: Settings) -> int:
    """All parts; 0 at the end."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # the sides share one GPU
    clock = Clock(settings)
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "4")  # a dozen sides compile at once
    parts = {"races": races, "events": events, "start-up": begins, "seeds": seeds, "defaults": defaults}
    with tempfile.TemporaryDirectory() as folder:
        for name in settings.parts:
            try:
                parts[name](clock, Path(folder))
            except Exception as error:  # one part that fails costs no other
                clock.say(f"{name} failed: {type(error).__name__}: {str(error)[-300:]}")
    clock.say(f"the end; results in {settings.write}")
    return 0


# --- races ------------------------------------------------------------------------------------------------------------


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


# --- alone ------------------------------------------------------------------------------------------------------------


def begins(clock: Clock, folder: Path) -> None:
    """From an empty interpreter to the end of the first round of DCGAN-64, with an empty cache and with a full one."""
    if clock.left < 70:
        clock.say(f"start-up: left out, {clock.left:.0f} s are left")
        return
    case = next(case for case in cases(clock.settings.scale) if case.name == "dcgan-64")
    environment = {**os.environ, "JAX_COMPILATION_CACHE_DIR": str(folder / "start-up")}
    found = {}
    for state in ("cold", "warm"):
        imports, built, program, total = start_up.child((case.race.experiment, case.settings), environment)
        found[state] = {"imports": imports, "built": built, "program": program, "all": total}
        rest = total - imports - built - program
        clock.say(
            f"start-up, {state}: imports {imports:.1f} s, data and state {built:.1f}, program {program:.1f}, "
            f"first round {rest:.1f}; all {total:.1f}"
        )
    clock.keep("start-up", found)


def events(clock: Clock, folder: Path) -> None:
    """What of a default run of dcgan is not its program."""
    if clock.left < 30:
        clock.say(f"events: left out, {clock.left:.0f} s are left")
        return
    chosen = (
        {} if clock.settings.scale == 1 else {"steps": 60, "data": "digits", "evaluate_every": 20, "sample_every": 20}
    )
    found = child("benchmarks.gpu_run", {"folder": str(folder / "run"), "settings": chosen}, clock.left)
    clock.say(
        f"a default run of dcgan: {found['steps']} steps at {found['round_ms']:.3f} ms in the program; "
        f"{found['seconds']:.2f} s from its first call to its end, {found['outside']:.1%} outside the program; "
        f"{found['before']:.1f} s before the first call"
    )
    for name, seconds in found["events"].items():
        clock.say(f"    {name}: {', '.join(map(str, seconds))} s")
    clock.keep("events", found)


def seeds(clock: Clock, folder: Path) -> None:
    """16 seeds of a small GAN as one program against one."""
    if clock.left < 25:
        clock.say(f"seeds: left out, {clock.left:.0f} s are left")
        return
    many = 16 if clock.settings.scale == 1 else 3
    spec = {"name": "seeds", "seeds": many, "repeats": 3, "seconds": 0.3, "models": 1}
    worker = Worker(sys.executable, "benchmarks.measures", spec, clock.cpus)
    for row in worker.facts["rows"]:
        clock.say(f"seeds, {row[0]}: one {row[1]} ms a round, {many} {row[2]} ms, {row[3]} times")
    clock.keep("seeds", worker.facts | {"peak_mib": worker.end()})


def defaults(clock: Clock, folder: Path) -> None:
    """Default experiments for 200 rounds in both precisions, side by side: whether every number stayed finite."""
    if clock.left < 35:
        clock.say(f"defaults: left out, {clock.left:.0f} s are left")
        return
    steps = 200 if clock.settings.scale == 1 else 4
    small = [] if clock.settings.scale == 1 else ["--data", "digits", "--batch-size", "16"]
    running = {}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
    for name in DEFAULTS:
        for precision in ("bfloat16", "float32"):
            run = folder / f"{name}-{precision}"
            command = [sys.executable, f"experiments/{name}.py", "--run-dir", str(run), "--precision", precision]
            command += ["--steps", str(steps), *small]
            running[name, precision] = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
            )
    found = {}
    for (name, precision), process in running.items():
        try:
            _, words = process.communicate(timeout=max(1.0, clock.left - 3))
            outcome = "all finite" if process.returncode == 0 else f"ended with {process.returncode}: {words[-200:]}"
            log = folder / f"{name}-{precision}" / "metrics.jsonl"
            last = [json.loads(line) for line in log.read_text().splitlines() if "nonfinite/total" in line][-1:]
            if process.returncode == 0 and (not last or last[0]["step"] != steps or last[0]["nonfinite/total"]):
                outcome = f"not finite, or not to the end: {last}"
        except (subprocess.TimeoutExpired, OSError) as error:
            process.kill()
            outcome = f"no answer in time ({type(error).__name__})"
        found[f"{name}, {precision}"] = outcome
        clock.say(f"{name}, {precision}, {steps} rounds: {outcome}")
    clock.keep("defaults", found)


def child(module: str, spec: dict[str, Any], seconds: float) -> dict[str, Any]:
    """The last line, as JSON, of a module run in a process of its own."""
    command = [sys.executable, "-m", module, json.dumps(spec)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    assert RACES
    sys.exit(main(tyro.cli(Settings, description=__doc__)))
