"""Ctrl-C is answered at once, also while a compiler or a device keeps Python from looking.

Python runs the handlers of signals between two of its own instructions, and one call may compile for a minute. The
system's own part of a handler writes a byte at once (`signal.set_wakeup_fd`), and a thread waits for it here.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator

from gen_jax.core.lines import say
from gen_jax.runs.signals import Signals

SOON = 0.5  # seconds: a run that has ended by then needs no line that it will
CURSOR = "\x1b[?25h"  # shown again: a bar hides it

_command = False
_active: "Answers | None" = None  # signals are a process's, and so is who answers them


def as_command() -> None:
    """This process is one command: a signal may end it. A notebook's process is not, and only gets a line."""
    global _command
    _command = True


@contextlib.contextmanager
def may_end(line: Callable[[], str] | None) -> Iterator[None]:
    """A block, such as a compilation, in which a signal may end the process at once with this line, if it is a command
    and somebody answers signals. None: it may not, for there are rounds to save."""
    answers = _active
    if answers is None:
        yield
        return
    before, answers.nothing_is_lost = answers.nothing_is_lost, line
    try:
        yield
    finally:
        answers.nothing_is_lost = before


class Answers:
    """A context within that of `signals`. Whoever trains says what stands on the disk:

    nothing_is_lost: the line for a signal that comes now, when the process may end at once, for all that there is to
    keep is kept; None while rounds run, after which a checkpoint is saved. rounds: the line for then.
    """

    def __init__(self, signals: Signals) -> None:
        self.nothing_is_lost: Callable[[], str] | None = lambda: (
            "before a round was done; the same command starts again"
        )
        self.rounds = "stopping after this call, with a checkpoint"
        self._signals = signals
        self._ends: tuple[int, int] | None = None
        self._over = threading.Event()
        self._listener: threading.Thread | None = None

    def __enter__(self) -> "Answers":
        if threading.current_thread() is not threading.main_thread() or not self._signals.heard:
            return self
        before = signal.set_wakeup_fd(-1)
        if before >= 0:  # somebody's event loop listens there: it stays theirs
            signal.set_wakeup_fd(before, warn_on_full_buffer=False)
            return self
        reading, writing = self._ends = os.pipe()
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        self._listener = threading.Thread(target=self._listen, args=(reading,), name="signals", daemon=True)
        self._listener.start()
        global _active
        _active = self
        return self

    def __exit__(self, *error: object) -> None:
        global _active
        _active = None
        self._over.set()
        if self._ends is not None and self._listener is not None:
            signal.set_wakeup_fd(-1)
            os.close(self._ends[1])  # the thread reads what has arrived, then the end of it, and ends
            self._listener.join()  # else a signal just before the end is answered or not, as threads take turns

    def _listen(self, reading: int) -> None:
        seen: set[int] = set()
        with open(reading, "rb", buffering=0) as arrived:
            while numbers := arrived.read(64):
                for number in numbers:
                    if number not in self._signals.heard:
                        continue
                    if number in seen and _command:
                        _end("ended", number)
                    seen.add(number)
                    self._answer(number)

    def _answer(self, number: int) -> None:
        if (kept := self.nothing_is_lost) is None:
            if not self._over.wait(SOON):
                say(f"{self.rounds}; once more ends it at once")
        elif _command:
            line = "before a round was done"
            with contextlib.suppress(Exception):  # what cannot be written now is written by the next sitting
                line = kept()
            _end(line, number)
        else:
            say("stopping as soon as this is compiled")


def _end(line: str, number: int) -> None:
    """No thread is waited for, and no destructor: a program that is being compiled cannot be told to stop."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()
        if sys.stderr.isatty():
            os.write(2, CURSOR.encode())
    say(f"interrupted: {line}")
    os._exit(128 + number)
