"""What a run says while it trains: metrics.jsonl, TensorBoard events, and a line or a bar for the person watching.

metrics.jsonl has one JSON object a line, in order of steps: `step`, `seconds` (of training, over all sittings),
`images` (seen so far), and the metrics as numbers; what is not finite is null, for JSON knows no NaN. A run that
resumes drops the lines of the future that it gave up, so the file is that of a run that was never interrupted.
"""

import json
import math
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np

from gen_jax.runs.files import atomic_write_bytes, writing

FILE = "metrics.jsonl"
FIXED = ("step", "seconds", "images")
FLUSH_SECONDS = 10.0  # between two flushes of TensorBoard's events, each of which waits for the disk
QUIET_SECONDS = 5.0  # between two lines where there is no terminal


class Series(NamedTuple):
    """One metric over a run: int64 [N] and float64 [N]; NaN where it was not finite."""

    steps: np.ndarray
    values: np.ndarray


def truncate_after(path: str | Path, step: int) -> None:
    """Drop the lines later than `step`, and what a killed process left half-written."""
    path = Path(path)
    if not path.exists():
        return
    content = path.read_bytes()
    kept = b"".join(line + b"\n" for line in content.split(b"\n") if (found := _parse(line)) and found["step"] <= step)
    if kept != content:
        atomic_write_bytes(path, kept)


def read_lines(run_dir: str | Path) -> list[dict[str, Any]]:
    """The objects of metrics.jsonl in order; a half-written last line is passed over. Empty where there is no file."""
    path = Path(run_dir) / FILE
    lines = path.read_bytes().split(b"\n") if path.exists() else []
    return [found for line in lines if (found := _parse(line)) is not None]


def read_metrics(run_dir: str | Path) -> dict[str, Series]:
    """Every metric of a run by name, in the order in which the names first appear."""
    found: dict[str, list[tuple[int, float]]] = {}
    for line in read_lines(run_dir):
        for name, value in line.items():
            if name not in FIXED:
                found.setdefault(name, []).append((line["step"], math.nan if value is None else float(value)))
    return {
        name: Series(np.array([step for step, _ in rows], np.int64), np.array([value for _, value in rows]))
        for name, rows in found.items()
    }


class Log:
    """The open log of a training run; a context manager.

    `start` is the step that the run continues from (call `truncate_after` first), `images` how many images one step
    sees, `total` the step at which the run ends. `quiet`: nothing for the person, as where many runs go at once.
    """

    def __init__(
        self,
        run_dir: str | Path,
        start: int,
        images: int,
        total: int,
        *,
        tensorboard: bool = True,
        quiet: bool = False,
    ) -> None:
        self.path = Path(run_dir) / FILE
        before = read_lines(run_dir)
        self._before = float(before[-1]["seconds"]) if before else 0.0
        self._images = images
        self._began = time.perf_counter()
        with writing(self.path):
            self._file = self.path.open("ab")
        self._events = Events(Path(run_dir) / "tensorboard", start) if tensorboard else None
        self._progress = None if quiet else Progress(total, start, images)

    def __enter__(self) -> "Log":
        if self._progress is not None:
            self._progress.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        if self._progress is not None:
            self._progress.__exit__(*error)
        with writing(self.path):
            self._file.close()
            if self._events is not None:
                self._events.close()

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """One line of metrics.jsonl and the same as TensorBoard scalars. Raises `UserError` (full disk)."""
        line: dict[str, Any] = {"step": step, "seconds": round(self._seconds(), 3), "images": step * self._images}
        line |= {name: number if math.isfinite(number := float(value)) else None for name, value in metrics.items()}
        with writing(self.path):
            # One write of a whole line, handed to the system at once: a killed process leaves at most one torn line.
            self._file.write(json.dumps(line, allow_nan=False).encode() + b"\n")
            self._file.flush()
            if self._events is not None:
                self._events.scalars(step, metrics)

    def picture(self, step: int, image: np.ndarray, name: str = "samples") -> None:
        """A picture, uint8 [H, W, C] with C of 1, 3 or 4 (or [H, W]), for TensorBoard."""
        if self._events is not None:
            image = image[..., None] if image.ndim == 2 else image
            with writing(self.path):
                self._events.image(step, name, np.repeat(image, 3, axis=-1) if image.shape[-1] == 1 else image[..., :3])

    def advance(self, step: int, metrics: Mapping[str, float]) -> None:
        """Tell the person watching where the run is and how the losses stand."""
        if self._progress is not None:
            self._progress.update(step, metrics)

    def _seconds(self) -> float:
        return self._before + time.perf_counter() - self._began


class Events:
    """TensorBoard events, written by this thread: tensorboardX's own writer has a thread of its own, which dies of a
    full disk without a word and then blocks the run.
    """

    def __init__(self, folder: Path, start: int) -> None:
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import Event, SessionLog  # pyright: ignore[reportAttributeAccessIssue]

        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._event = Event
            # Named by the second; the suffix keeps a run that resumes within one from writing over the file.
            self._file = EventsWriter(str(folder / "events"), f".{start}.{os.getpid()}")
            self._flushed = time.monotonic()
            if start:  # makes TensorBoard forget what an interrupted process wrote beyond the checkpoint
                self._add(start + 1, session_log=SessionLog(status=SessionLog.START))

    def scalars(self, step: int, metrics: Mapping[str, float]) -> None:
        from tensorboardX.summary import scalar

        for name, value in metrics.items():
            if math.isfinite(value):  # TensorBoard draws no others, and its writer warns of each
                self._add(step, summary=scalar(name, float(value)))
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self._flushed = time.monotonic()
            self._file.flush()

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        from tensorboardX.summary import image as summary

        self._add(step, summary=summary(name, image, dataformats="HWC"))
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    def _add(self, step: int, **content: Any) -> None:
        self._file.write_event(self._event(step=step, wall_time=time.time(), **content))


class Progress:
    """A bar with speed, time left and losses on a terminal; elsewhere one plain line every few seconds.

    `batch_size` is how many images one step sees. Writes to standard error, so that standard output stays the
    program's own.
    """

    def __init__(
        self, total: int, start: int, batch_size: int, *, stream: TextIO | None = None, every: float = QUIET_SECONDS
    ):
        self._total, self._start, self._batch_size, self._every = total, start, batch_size, every
        self._stream = stream or sys.stderr
        self._began = self._told = time.monotonic()
        self._bar = None

    def __enter__(self) -> "Progress":
        self._began = self._told = time.monotonic()
        if self._stream.isatty() and os.environ.get("TERM") != "dumb":
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
            print(line.rstrip(), file=self._stream, flush=True)


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
        TextColumn("[dim]{task.fields[losses]}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
        console=Console(file=stream),
        expand=True,
        refresh_per_second=4,
    )
    return bar, bar.add_task("train", total=total, completed=start, speed="", losses="")


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and isinstance(found.get("step"), int) else None


def _losses(metrics: Mapping[str, float], most: int) -> str:
    """Losses first, for they are what one watches, and counts and norms last."""
    last = ("gradient_norm/", "nonfinite/", "accuracy/", "active_", "kl_dimension/")
    names = sorted(metrics, key=lambda name: ("loss" not in name, name.startswith(last)))[:most]
    return "  ".join(f"{name} {float(metrics[name]):.4g}" for name in names)


def _short(number: float) -> str:
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
