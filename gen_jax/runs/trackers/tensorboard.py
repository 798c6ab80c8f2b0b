"""TensorBoard's events, in the run's own folder."""

import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gen_jax.runs.files import writing

FLUSH_SECONDS = 10.0  # between two flushes, each of which waits for the disk


def start(run_dir: Path, step: int, settings: Mapping[str, Any]) -> "Events":
    return Events(run_dir / "tensorboard", step)


class Events:
    """TensorBoard events, written by this thread: tensorboardX's own writer has a thread of its own, which dies of a
    full disk without a word and then blocks the run.
    """

    def __init__(self, folder: Path, start: int) -> None:
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import Event, SessionLog  # pyright: ignore[reportAttributeAccessIssue]

        self._folder = folder
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

        with writing(self._folder):
            for name, value in metrics.items():
                if math.isfinite(value):  # TensorBoard draws no others, and its writer warns of each
                    self._add(step, summary=scalar(name, float(value)))
            if time.monotonic() - self._flushed > FLUSH_SECONDS:
                self._flushed = time.monotonic()
                self._file.flush()

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        from tensorboardX.summary import image as summary

        with writing(self._folder):
            self._add(step, summary=summary(name, image, dataformats="HWC"))
            self._file.flush()

    def close(self) -> None:
        with writing(self._folder):
            self._file.close()

    def _add(self, step: int, **content: Any) -> None:
        self._file.write_event(self._event(step=step, wall_time=time.time(), **content))
