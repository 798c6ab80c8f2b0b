"""What a person or a scheduler sends a run: each signal asks for a checkpoint, and then for the end.

Ctrl-C, SIGTERM, SIGHUP (the terminal or the ssh session is gone) and SIGUSR1 and SIGUSR2 (as SLURM sends them some
time before the end, `sbatch --signal=USR1@120`). A signal that is ignored when the run starts stays ignored (`nohup`),
and one of the latter three that somebody else listens to stays theirs (submitit).
"""

import os
import signal
import sys
import threading
import time
from typing import Any

ASK = ("SIGINT", "SIGTERM")
IF_FREE = ("SIGHUP", "SIGUSR1", "SIGUSR2")  # Windows has none of them
FREE = (signal.SIG_DFL, signal.default_int_handler)


class Signals:
    """The first signal of a block is remembered, for whoever looks; a second one ends the process at once."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    @property
    def heard(self) -> frozenset[int]:
        """The numbers of the signals that are remembered here."""
        return frozenset(self._before)

    @property
    def status(self) -> int:
        return 128 + (self.received or 0)

    def __enter__(self) -> "Signals":
        if threading.current_thread() is not threading.main_thread():
            return self  # signals are the main thread's
        for name in (*ASK, *IF_FREE):
            number = getattr(signal, name, None)
            if number is None:
                continue
            handler = signal.getsignal(number)
            if handler is signal.SIG_IGN or (name in IF_FREE and handler not in FREE):
                continue
            self._before[number] = handler
            signal.signal(number, self._receive)
        return self

    def _receive(self, number: int, frame: Any) -> None:
        self.received = number
        signal.signal(number, signal.SIG_DFL)

    def __exit__(self, *error: Any) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


def quit_at_once() -> None:
    """From here on Ctrl-C ends the process with one line, status 130, and nothing else.

    For the seconds in which modules are imported: some turn a KeyboardInterrupt into an ImportError, or into pages of
    traceback, and there is nothing yet that could be saved.
    """
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) in FREE:
        signal.signal(signal.SIGINT, _quit)


def imported_by_script() -> bool:
    """Whether the module that asks is being imported by the script that Python was started with."""
    frame = sys._getframe(1).f_back
    while frame is not None and frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None and frame.f_globals.get("__name__") == "__main__"


def interrupt_again() -> None:
    """Ctrl-C raises KeyboardInterrupt again, where `quit_at_once` has changed that."""
    if signal.getsignal(signal.SIGINT) is _quit:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _quit(number: int, frame: Any) -> None:
    try:
        sys.stdout.flush()
        os.write(2, b"interrupted\n")
    except (OSError, ValueError, AttributeError):
        pass
    os._exit(130)


def end_with(parent: int) -> None:
    """Send this process SIGTERM as soon as the process `parent` is no longer its parent: a worker outlives nobody.

    By a thread that looks twice a second, which works everywhere and also where the parent has ended before.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()
