"""What a run logs while it trains: metrics.jsonl, and what `runs.trackers` makes of the same.

metrics.jsonl has one JSON object a line, in order of steps: `step`, `images` (seen so far), the metrics as numbers, and
`seconds` (of training, over all sittings); what is not finite is null, for JSON knows no NaN. A run that resumes drops
the lines of the future that it gave up, so the file is that of a run that was never interrupted.
`crc32` ends a line: of all that stands in it but the clock, so that a changed digit is seen. Older files have none.
"""

import contextlib
import functools
import json
import math
import time
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.core.lines import say
from gen_jax.runs import folder, shapes, trackers
from gen_jax.runs.files import atomic_write_bytes, read_bytes, writing
from gen_jax.runs.progress import Progress

FILE = "metrics.jsonl"
CHECKSUM = "crc32"
CLOCK = "seconds"
FIXED = ("step", CLOCK, "images", CHECKSUM)
INTERVALS = ("log_every", "evaluate_every")
LARGEST = 4 << 30  # bytes
_MARK, _CLOCK = f', "{CHECKSUM}": "'.encode(), f', "{CLOCK}": '.encode()


class Series(NamedTuple):
    """One metric over a run: int64 [N] and float64 [N]; NaN where it was not finite."""

    steps: np.ndarray
    values: np.ndarray


def encode(line: Mapping[str, Any]) -> bytes:
    """A line of metrics.jsonl without its end: the clock comes last, and then the checksum of all before it."""
    body = json.dumps({name: value for name, value in line.items() if name != CLOCK}, allow_nan=False)
    clock = f', "{CLOCK}": {json.dumps(line[CLOCK], allow_nan=False)}' if CLOCK in line else ""
    return f'{body[:-1]}{clock}, "{CHECKSUM}": "{zlib.crc32(body.encode()):08x}"}}'.encode()


def parse(line: bytes) -> dict[str, Any] | None:
    """What `encode` was given; None for a line that is damaged: no JSON, another checksum, a value that is no number,
    a step that is none. A line without checksum is one of an older release."""
    end = line.rfind(_MARK)
    if end >= 0:
        clock = line.rfind(_CLOCK, 0, end)
        body = line[: clock if clock >= 0 and b"," not in line[clock + 1 : end] else end]
        if line[end + len(_MARK) :] != f'{zlib.crc32(body + b"}"):08x}"}}'.encode():
            return None
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or (CHECKSUM in found) is not (end >= 0):
        return None
    step, seconds = found.get("step"), found.get(CLOCK, 0.0)
    sound = isinstance(step, int) and 0 <= step < 2**63 and seconds is not None
    found.pop(CHECKSUM, None)
    return found if sound and all(type(value) is float or _number(value) for value in found.values()) else None


def _number(value: Any) -> bool:
    return value is None or shapes.number(value)


def read_lines(run_dir: str | Path) -> list[dict[str, Any]]:
    """The objects of metrics.jsonl in order; empty where there is no file. A half-written last line, as a killed
    process leaves it, is passed over; of lines that are damaged otherwise the person is told, once.
    """
    path = Path(run_dir) / FILE
    lines, damaged = _read(path)
    if damaged:
        _tell_once(f"{path}: {_listing('line', damaged)} damaged and left out")
    return lines


def _read(path: Path) -> tuple[list[dict[str, Any]], list[int]]:
    """The sound lines, and the numbers of the damaged ones."""
    if not path.exists():
        return [], []
    written = read_bytes(path, LARGEST).split(b"\n")
    parsed = [parse(line) for line in written]
    damaged = [n for n, found in enumerate(parsed[:-1], 1) if found is None]  # the last has no end: being written
    return [found for found in parsed if found is not None], damaged


def truncate_after(path: str | Path, step: int, rhythm: "Rhythm" = ()) -> None:
    """Drop the lines later than `step`, and what a killed process left half-written.

    What else is not as it was written is told in one line: damaged lines, which go, and lines that are missing. A run
    at `step` has one for each multiple of each interval of its `rhythm`.
    """
    path = Path(path)
    lines, damaged = _read(path)
    kept = [line for line in lines if line["step"] <= step]
    if step == 0 and (ran := max((line["step"] for line in lines), default=0)):
        say(f"{path.parent}: it ended after step {ran} and before its first checkpoint; training begins anew")
    found = [f"{_listing('line', damaged)} damaged and dropped"] if damaged else []
    if lost := missing(kept, step, rhythm):
        found.append(f"lines of {_listing('step', lost)} missing")
    if found:
        say(f"{path}: {'; '.join(found)}; the model's state is not touched, but curves and diagnosis lack them")
    if not path.exists():
        return
    # The bytes as they are, where nothing is to go: older lines stay without a checksum.
    content = read_bytes(path, LARGEST)
    rows = [line + b"\n" for line in content.split(b"\n") if (one := parse(line)) and one["step"] <= step]
    if (whole := b"".join(rows)) != content:
        atomic_write_bytes(path, whole)


# (from which step on, the intervals at which lines are written: of logging and of evaluations), a sitting each.
Rhythm = Sequence[tuple[int, Sequence[int]]]


def rhythm(record: Mapping[str, Any] | None, settings: Mapping[str, Any]) -> Rhythm:
    """The rhythm of a run by its manifest; of a sitting that kept no settings, and of a run without a manifest, that of
    `settings`."""
    sittings = [
        (sitting["from_step"], (sitting.get("identity") or {}).get("settings", settings))
        for sitting in (record or {}).get("sittings", [])
    ]
    known = sittings or [(0, settings)]
    return [(start, [every for name in INTERVALS if isinstance(every := of.get(name), int)]) for start, of in known]


def missing(lines: Sequence[Mapping[str, Any]], step: int, rhythm: Rhythm) -> list[int]:
    """Steps up to `step` of which fewer lines are there than a run of this rhythm writes. A sitting may begin before
    the end of the one before it, where a checkpoint was given up: what it wrote is what counts."""
    there = Counter(line["step"] for line in lines)
    due, end = Counter[int](), step
    for start, intervals in reversed(rhythm):
        for every in intervals:
            if every > 0:
                due.update(range(start - start % every + every, end + 1, every))
        end = min(end, start)
    return sorted(at for at, count in due.items() if there[at] < count)


def tell_of_losses(run_dir: Path, lines: Sequence[Mapping[str, Any]], config: Mapping[str, Any]) -> None:
    """One line where a run that only is looked at has checkpoints later than its metrics, or gaps between them."""
    kept = run_dir / "checkpoints"
    steps = [int(p.name) for p in kept.iterdir() if p.name.isdecimal()] if kept.is_dir() else []
    record = None
    with contextlib.suppress(UserError):  # a damaged manifest is told by whoever needs it
        record = folder.record(run_dir)
    if steps and (lost := missing(lines, max(steps), rhythm(record, config))):
        _tell_once(f"{run_dir / FILE}: lines of {_listing('step', lost)} missing")


@functools.cache
def _tell_once(line: str) -> None:
    say(line)


def _listing(noun: str, numbers: Sequence[int]) -> str:
    """ "lines 3, 4, 9 and 12 more are"."""
    few = [str(number) for number in numbers[:5]]
    text = ", ".join(few) if len(numbers) <= 5 else f"{', '.join(few)} and {len(numbers) - 5} more"
    return f"{noun}{'s' if len(numbers) > 1 else ''} {text} {'is' if (len(numbers), noun) == (1, 'line') else 'are'}"


def read_metrics(run_dir: str | Path) -> dict[str, Series]:
    """Every metric of a run by name, in the order in which the names first appear."""
    return series(read_lines(run_dir))


def series(lines: Sequence[Mapping[str, Any]]) -> dict[str, Series]:
    """The lines of metrics.jsonl by metric."""
    found: dict[str, list[tuple[int, float]]] = {}
    for line in lines:
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
    sees, `total` the step at which the run ends. `to` names `runs.trackers` beside it, `settings` are what they are
    told of the run. `quiet`: nothing for the person, as where many runs go at once.
    """

    def __init__(
        self,
        run_dir: str | Path,
        start: int,
        images: int,
        total: int,
        *,
        to: str = "tensorboard",
        settings: Mapping[str, Any] = {},
        quiet: bool = False,
    ) -> None:
        self.path = Path(run_dir) / FILE
        before = read_lines(run_dir)
        self._before = max((float(line.get("seconds", 0.0)) for line in before), default=0.0)
        self._images = images
        self._began = time.perf_counter()
        with writing(self.path):
            self._file = self.path.open("ab")
        self._trackers = trackers.start(to, Path(run_dir), start, settings)
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
        trackers.tell(self._trackers, "close")

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """One line of metrics.jsonl, and the same for the trackers. Raises `UserError` (full disk)."""
        line: dict[str, Any] = {"step": step, "seconds": round(self._seconds(), 3), "images": step * self._images}
        line |= {name: number if math.isfinite(number := float(value)) else None for name, value in metrics.items()}
        with writing(self.path):
            # One write of a whole line, handed to the system at once: a killed process leaves at most one torn line.
            self._file.write(encode(line) + b"\n")
            self._file.flush()
        trackers.tell(self._trackers, "scalars", step, metrics)

    def picture(self, step: int, image: np.ndarray, name: str = "samples") -> None:
        """A picture, uint8 [H, W, C] with C of 1, 3 or 4 (or [H, W]), for the trackers."""
        image = image[..., None] if image.ndim == 2 else image
        colours = np.repeat(image, 3, axis=-1) if image.shape[-1] == 1 else image[..., :3]
        trackers.tell(self._trackers, "image", step, name, colours)

    def advance(self, step: int, metrics: Mapping[str, float]) -> None:
        """Tell the person watching where the run is and how the losses stand."""
        if self._progress is not None:
            self._progress.update(step, metrics)

    def _seconds(self) -> float:
        return self._before + time.perf_counter() - self._began
