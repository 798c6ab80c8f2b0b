"""What a person sees of a run while it trains: a bar on a terminal, elsewhere a plain line now and then."""

import os
import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

from gen_jax.core.lines import say, visible
from gen_jax.runs.streams import lossy

QUIET_SECONDS = 5.0  # between two lines where there is no terminal


class Progress:
    """A bar with speed, time left and losses on a terminal; elsewhere one plain line every few seconds.

    `batch_size` is how many images one step sees. Writes to standard error, so that standard output stays the
    program's own.
    """

    def __init__(
        self, total: int, start: int, batch_size: int, *, stream: TextIO | None = None, every: float = QUIET_SECONDS
    ):
        self._total, self._start, self._batch_size, self._every = total, start, batch_size, every
        stream = stream or sys.stderr
        self._stream = None if stream is None else lossy(stream)  # a daemon has none
        self._began = self._told = time.monotonic()
        self._bar = None

    def __enter__(self) -> "Progress":
        self._began = self._told = time.monotonic()
        if self._stream is not None and self._stream.isatty() and os.environ.get("TERM") != "dumb":
            self._bar, self._task = _bar(self._stream, self._total, self._start)
            self._bar.start()
        return self

    def __exit__(self, *error: Any) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, step: int, metrics: Mapping[str, float]) -> None:
        """The run is at `step`; `metrics` are the newest."""
        now = time.monotonic()
        rate = (step - self._start) / max(now - self._began, 1e-9)
        left = _clock((self._total - step) / rate) if rate > 0 else "?"
        speed = f"{_short(rate)} steps/s  {_short(rate * self._batch_size)} images/s  {left} left"
        if self._bar is not None:
            self._bar.update(self._task, completed=step, speed=speed, losses=_losses(metrics, 3))
        elif now - self._told >= self._every or step == self._total:
            self._told = now
            line = f"step {step}/{self._total}  {speed}  {_losses(metrics, 6)}"
            say(line.rstrip(), self._stream)


def _bar(stream: TextIO, total: int, start: int) -> tuple[Any, Any]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as RichProgress
    from rich.table import Column

    bar = RichProgress(
        TextColumn("{task.completed}/{task.total}", table_column=Column(no_wrap=True)),
        BarColumn(bar_width=10),
        TextColumn("{task.fields[speed]}", table_column=Column(no_wrap=True)),
        # What gives way where the terminal is narrow.
        TextColumn(
            "{task.fields[losses]}",
            "dim",
            markup=False,
            table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"),
        ),
        console=Console(file=stream),
        expand=True,
        refresh_per_second=4,
    )
    return bar, bar.add_task("train", total=total, completed=start, speed="", losses="")


def _losses(metrics: Mapping[str, float], most: int) -> str:
    """Losses first, for they are what one watches, and counts and norms last."""
    last = ("gradient_norm/", "nonfinite/", "accuracy/", "active_", "kl_dimension/")
    names = sorted(metrics, key=lambda name: ("loss" not in name, name.startswith(last)))[:most]
    return "  ".join(f"{visible(name)} {float(metrics[name]):.4g}" for name in names)


def _short(number: float) -> str:
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
