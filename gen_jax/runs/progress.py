"""What a person sees of a run while it trains: a bar on a terminal, elsewhere a plain line now and then."""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TextIO

from gen_jax.core.lines import say, visible
from gen_jax.runs.streams import lossy

QUIET_SECONDS = 5.0  # between two lines where there is no terminal
REFRESHES = 4.0  # a second, of a bar
CELLS = 12  # of a bar
LOSSES = 2  # that a bar shows


class Progress:
    """A bar with speed, time left and losses on a terminal; elsewhere one plain line every few seconds.

    `batch_size` is how many images one step sees. Writes to standard error, so that standard output stays the
    program's own.
    """

    def __init__(
        self, total: int, start: int, batch_size: int, *, stream: TextIO | None = None, every: float = QUIET_SECONDS
    ):
        self._total, self._start, self._batch_size, self._every = total, start, batch_size, every
        self._stream = _stream(stream)
        self._began = self._told = time.monotonic()
        self._step, self._metrics = start, {}
        self._shown = contextlib.ExitStack()
        self._live = False

    def __enter__(self) -> "Progress":
        self._began = self._told = time.monotonic()
        if _is_terminal(self._stream):
            self._live = True
            self._shown.enter_context(_live(self._stream, self._parts))
        return self

    def __exit__(self, *error: Any) -> None:
        self._shown.close()

    def update(self, step: int, metrics: Mapping[str, float]) -> None:
        """The run is at `step`; `metrics` are the newest."""
        self._step, self._metrics = step, metrics
        now = time.monotonic()
        if not self._live and (now - self._told >= self._every or step == self._total):
            self._told = now
            rate, images, left = self._speed(now)
            line = f"step {step}/{self._total}  {rate}  {images}  {left}  {_losses(metrics, 6)}"
            say(line.rstrip(), self._stream)

    def _speed(self, now: float) -> tuple[str, str, str]:
        rate = (self._step - self._start) / max(now - self._began, 1e-9)
        left = _clock((self._total - self._step) / rate) if rate > 0 else "?"
        return f"{_short(rate)} steps/s", f"{_short(rate * self._batch_size)} examples/s", f"{left} left"

    def _parts(self) -> "list[Part]":
        rate, images, left = self._speed(time.monotonic())
        return [
            Part(f"{self._step}/{self._total}", 0),
            Part(_cells(self._step / max(self._total, 1)), 4, "cyan"),
            Part(left, 1),
            Part(rate, 3),
            Part(images, 5),
            Part(_brief(_losses(self._metrics, LOSSES)), 2, "dim"),
        ]


class Part(NamedTuple):
    """A piece of a bar. Where the terminal is narrow, those of the highest numbers are left out."""

    text: str
    place: int
    style: str = ""


@contextlib.contextmanager
def waiting(words: str, stream: TextIO | None = None) -> Iterator[None]:
    """A line on a terminal, with a clock, for as long as the block takes; then it is gone. Elsewhere nothing."""
    began, stream = time.monotonic(), _stream(stream)

    def parts() -> list[Part]:
        seconds = time.monotonic() - began
        there = int(seconds * REFRESHES) % CELLS
        cells = "".join("━" if (place - there) % CELLS < 3 else "╌" for place in range(CELLS))
        return [Part(cells, 2, "cyan"), Part(words, 0), Part(f"{seconds:.0f} s", 1, "dim")]

    if not _is_terminal(stream):
        yield
        return
    with _live(stream, parts, transient=True):
        yield


def fitting(parts: list[Part], width: int) -> list[Part]:
    """The parts that fit into a line of so many characters, in their order; the first in place always, shortened."""
    kept, room = set[int](), width
    for number in sorted(range(len(parts)), key=lambda number: parts[number].place):
        needed = len(parts[number].text) + 2 * bool(kept)
        if parts[number].text and (needed <= room or not kept):
            kept.add(number)
            room -= needed
    return [part._replace(text=part.text[: max(width, 0)]) for number, part in enumerate(parts) if number in kept]


class _Line:
    """What rich draws, anew at each refresh, for the terminal as wide as it is then."""

    def __init__(self, parts: Callable[[], list[Part]]) -> None:
        self._parts = parts

    def __rich_console__(self, console: Any, options: Any) -> Any:
        from rich.text import Text

        line = Text(no_wrap=True, overflow="crop")
        for number, part in enumerate(fitting(self._parts(), options.max_width)):
            line.append("  " if number else "").append(part.text, part.style)
        yield line


@contextlib.contextmanager
def _live(stream: TextIO | None, parts: Callable[[], list[Part]], transient: bool = False) -> Iterator[None]:
    from rich.console import Console
    from rich.live import Live

    console = Console(file=stream, emoji=False, highlight=False)
    with Live(_Line(parts), console=console, refresh_per_second=REFRESHES, transient=transient):
        yield


def _stream(stream: TextIO | None) -> TextIO | None:
    stream = stream or sys.stderr
    return None if stream is None else lossy(stream)  # a daemon has none


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"


def _cells(share: float) -> str:
    done = min(CELLS, max(0, round(share * CELLS)))
    return "━" * done + "╌" * (CELLS - done)


def _losses(metrics: Mapping[str, float], most: int) -> str:
    """What players minimise first, then bounds and their parts, for these are what one watches; norms last."""
    first, last = ("loss/", "loss", "elbo", "bound", "kl", "reconstruction"), ("gradient_norm/", "nonfinite/")

    def rank(name: str) -> tuple[bool, int]:
        place = next((i for i, each in enumerate(first) if name == each or (each[-1] == "/" and each in name)), 9)
        return name.startswith(last), place

    names = sorted(metrics, key=rank)[:most]
    return "  ".join(f"{visible(name)} {float(metrics[name]):.4g}" for name in names)


def _brief(losses: str) -> str:
    """ "loss/critic 1.2  loss/generator 0.7" as "loss: critic 1.2, generator 0.7"."""
    parts = losses.split("  ")
    if not all(part.startswith("loss/") for part in parts):
        return losses
    return "loss: " + ", ".join(part.removeprefix("loss/") for part in parts)


def _short(number: float) -> str:
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
