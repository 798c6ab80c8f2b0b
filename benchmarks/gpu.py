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
from pathlib import Path
from typing import Any

import tyro

from benchmarks.cases import RACES, start_up
from benchmarks.gpu_cases import cases
from benchmarks.gpu_clock import Clock, Settings
from benchmarks.gpu_races import races
from benchmarks.protocol import ROOT, Worker

DEFAULTS = ("dcgan", "wgan_gp", "beta_vae", "cgan", "vae_gan")  # for 200 rounds each, in both precisions


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
