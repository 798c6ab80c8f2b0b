"""All of the GPU's figures in one call of at most nine minutes: `python -m benchmarks.gpu --torch-python PYTHON`.

DCGAN-64 in bfloat16, the ring GAN and SNGAN-ResNet-32 against PyTorch in its four ways (eager, compiled, and a whole
step as one CUDA graph, eager or compiled), the fraction of the measured matrix-product rate of each; and 16 seeds by
`vmap` against one. `--device cpu --scale 0.125` is the rehearsal: the same code, small and slow.

What comes first matters most; before each part the time left is looked at, and a part that cannot end is left out and
named. Results go to --write as they come, so that a call that is cut short loses nothing.
"""

import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import tyro

from benchmarks import machine, races, report
from benchmarks.cases import RACES
from benchmarks.peers import WAYS
from benchmarks.protocol import Worker
from benchmarks.races import Race


@dataclass(frozen=True)
class Settings:
    torch_python: str | None = None
    """an interpreter that has PyTorch for this GPU; none: this side alone"""
    minutes: float = 8.5
    """for everything"""
    device: str = "cuda"
    """or cpu, to rehearse"""
    scale: float = 1.0
    """of widths and batches, to rehearse"""
    repeats: int = 5
    write: Path = Path("gpu.json")
    """where the results go"""


def scaled(value: int, scale: float, least: int = 8) -> int:
    return max(least, int(value * scale) // 8 * 8)


def cases(scale: float) -> list[tuple[Race, float, bool]]:
    """(race, least ratio of images/s, ours to PyTorch's, bfloat16), the dearest to lose first."""
    dcgan, ring, sngan = RACES["dcgan-64"], RACES["ring-gan"], RACES["sngan-32"]
    batch, width = scaled(64, scale), scaled(64, scale)
    wide, narrow = scaled(256, scale), scaled(128, scale)
    size = 64 if scale == 1 else 32
    return [
        (
            dcgan._replace(
                settings=dcgan.settings
                | {"batch_size": batch, "width": width, "image_size": size, "steps_per_call": 100},
                peer_settings=dcgan.peer_settings | {"batch_size": batch, "width": width, "size": size},
            ),
            3.0,
            True,
        ),
        (ring._replace(settings=ring.settings | {"steps_per_call": 1000}), 10.0, False),
        (
            sngan._replace(
                settings=sngan.settings
                | {"batch_size": batch, "width": wide, "critic_width": narrow, "steps_per_call": 20},
                peer_settings=sngan.peer_settings | {"batch_size": batch, "width": wide, "critic_width": narrow},
            ),
            1.2,
            True,
        ),
    ]


def main(settings: Settings) -> int:
    began = time.monotonic()
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # the sides share one GPU, and memory is measured
    cpus = sorted(os.sched_getaffinity(0))
    rehearsal = settings.device != "cuda"
    ways = WAYS if not rehearsal else ("eager",)
    results: dict[str, dict] = {}

    def left() -> float:
        return 60 * settings.minutes - (time.monotonic() - began)

    def keep(name: str, result: dict) -> None:
        results[name] = result | {"at": round(time.monotonic() - began), "machine": machine.describe(cpus)}
        settings.write.write_text(json.dumps(results, indent=1))
        print(f"  {left():.0f} s left", flush=True)

    for race, least, bfloat16 in cases(settings.scale):
        race = race._replace(bar=None)  # that one is the CPU's
        # Eager, and its whole step as a graph, matter most; the compiled ones take a minute or two to get ready.
        for chosen, need in ((ways, 150), (ways[:1] + ways[2:3], 80), (ways[:1], 50)):  # noqa: B007
            if left() > need:
                break
        else:
            print(f"{race.name}: left out, {left():.0f} s are left")
            continue
        options = races.Options(
            repeats=settings.repeats,
            seconds=1.0 if not rehearsal else 0.2,
            cpus=cpus,
            torch_python=settings.torch_python,
            ways=chosen,
            device=settings.device,
            together=not rehearsal,
            ours={"precision": "bfloat16" if bfloat16 else "float32"},
            spec={"bfloat16": bfloat16, "tf32": True},
        )
        try:
            outcome = races.run(race, options)
        except RuntimeError as error:
            print(f"{race.name} failed: {error}")
            continue
        result = report.of_race(outcome)
        report.show(race.name, result)
        if outcome.ratio is not None:
            verdict = "reached" if 1 / outcome.ratio >= least else "not reached"
            print(f"{race.name}: {1 / outcome.ratio:.2f} times PyTorch's images/s (bar {least}: {verdict})")
        keep(race.name, result | {"speed_up": outcome.ratio and 1 / outcome.ratio, "least": least})
    if left() > 45:
        seeds(settings, cpus, rehearsal, keep)
    else:
        print(f"seeds: left out, {left():.0f} s are left")
    print(f"{time.monotonic() - began:.0f} s in all; results in {settings.write}")
    return 0


def seeds(settings: Settings, cpus: list[int], rehearsal: bool, keep) -> None:
    """16 seeds of a small GAN as one program against one: the bar is 4 times its time."""
    spec = {"name": "seeds", "seeds": 16 if not rehearsal else 3, "repeats": settings.repeats, "seconds": 0.5}
    try:
        worker = Worker(sys.executable, "benchmarks.measures", spec, cpus)
        result = worker.facts | {"peak_mib": worker.end()}
    except RuntimeError as error:
        print(f"seeds failed: {error}")
        return
    report.show("seeds", result)
    keep("seeds", result)


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Settings, description=__doc__)))
