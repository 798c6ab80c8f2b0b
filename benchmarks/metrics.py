"""Metrics against the packages that others use: `python -m benchmarks.metrics [fd] [prdc]`, in turns, medians.

    fd     Fréchet distance of two feature sets, statistics included, against torch-fidelity (50,000 x 2,048 each)
    prdc   precision, recall, density and coverage, k = 5, against prdc (10,000 against 10,000 x 2,048)

Both sides read the same float32 features and print the same numbers; ours computes FD in float64 and never holds a
matrix of distances. The packages (`pip install torch-fidelity prdc`) may live in another environment: --peer-python.
"""

import shutil
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from benchmarks import machine
from benchmarks.protocol import Worker

CASES = {"fd": (50_000, "torch-fidelity"), "prdc": (10_000, "prdc")}


@dataclass(frozen=True)
class Settings:
    cases: Annotated[tuple[str, ...], tyro.conf.Positional] = ("fd", "prdc")
    """which"""
    samples: int | None = None
    """in each set; by default 50,000 for fd and 10,000 for prdc"""
    dimension: int = 2048
    """of the features"""
    repeats: int = 3
    """turns of each side; the figures are medians"""
    cpus: tuple[int, ...] = ()
    """cores for both sides"""
    peer_python: str = sys.executable
    """an interpreter that has torch-fidelity and prdc"""


def features(samples: int, dimension: int, folder: Path) -> None:
    """Two sets of correlated, non-negative features, like a network's: first.npy and second.npy, float32."""
    random = np.random.default_rng(0)
    mix = random.standard_normal((dimension, dimension), np.float32) / np.float32(dimension**0.5)
    for number, name in enumerate(("first", "second")):
        noise = random.standard_normal((samples, dimension), np.float32)
        np.save(folder / f"{name}.npy", np.maximum(noise @ mix + np.float32(0.5 + 0.02 * number), 0))


def race(name: str, settings: Settings) -> dict[str, Any]:
    """Seconds of each side and their numbers."""
    import os

    samples = settings.samples or CASES[name][0]
    cpus = list(settings.cpus) or sorted(os.sched_getaffinity(0))
    folder = Path(tempfile.mkdtemp(prefix="gen-jax-metrics-"))
    sides: dict[str, Worker] = {}
    try:
        features(samples, settings.dimension, folder)
        for side, python in (("gen_jax", sys.executable), (CASES[name][1], settings.peer_python)):
            spec = {"side": side, "case": name, "folder": str(folder)}
            sides[side] = Worker(python, "benchmarks.metrics_worker", spec, cpus)
        seconds: dict[str, list[float]] = {side: [] for side in sides}
        for _ in range(settings.repeats):
            for side, worker in sides.items():
                seconds[side].append(worker.run(1))
        return {
            "size": f"{samples:,} x {settings.dimension:,}",
            "sides": {
                side: {
                    "seconds": seconds[side],
                    "peak_mib": worker.end(),
                    "values": dict(zip(*np.load(folder / f"{side}.npz").values(), strict=True)),
                }
                for side, worker in sides.items()
            },
        }
    finally:
        for worker in sides.values():
            worker.kill()
        shutil.rmtree(folder, ignore_errors=True)


def show(name: str, found: dict[str, Any]) -> None:
    print(f"{name}, {found['size']} (median of {len(next(iter(found['sides'].values()))['seconds'])}, in turns)")
    ours, theirs = found["sides"].values()
    for side, result in found["sides"].items():
        each = ", ".join(f"{s:.2f}" for s in result["seconds"])
        print(f"  {side:16}{statistics.median(result['seconds']):9.2f} s   {result['peak_mib']:7.0f} MiB   ({each})")
    ratio = statistics.median(theirs["seconds"]) / statistics.median(ours["seconds"])
    print(f"  {'times as fast':16}{ratio:9.2f}")
    for value in ours["values"]:
        print(f"  {value:16}{ours['values'][value]:14.7g} ours {theirs['values'][value]:14.7g} theirs")


def main(settings: Settings) -> int:
    import os

    if unknown := [name for name in settings.cases if name not in CASES]:
        print(f"no case is called {', '.join(unknown)}; there are {', '.join(CASES)}", file=sys.stderr)
        return 2
    failed = 0
    for name in settings.cases:
        try:
            show(name, race(name, settings))
        except RuntimeError as error:
            print(
                f"{name} failed; --peer-python names an interpreter that has {CASES[name][1]}\n{error}", file=sys.stderr
            )
            failed += 1
    print(machine.sentence(machine.describe(list(settings.cpus) or sorted(os.sched_getaffinity(0)))))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Settings, description=__doc__)))
