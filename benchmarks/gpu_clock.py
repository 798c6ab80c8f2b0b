"""What `benchmarks.gpu` was asked, how much of its time is left, and what it has found so far."""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import machine

PARTS = ("races", "events", "start-up", "seeds", "defaults")


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
