"""Watching over each other: a process that is gone, stands still or fails ends the others, with one line that names it.

Every process says once a second that it lives, and where its loop is. The leader looks at all; who has said nothing for
`PATIENCE` seconds is gone or stopped, who is behind the others for `LATE` seconds hangs. The leader's verdict ends all.
Where the leader itself is gone its store is, too: process 1 says so. XLA's own watch (100 s) is slower than this one.
"""

import contextlib
import os
import platform
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gen_jax.core import lines, processes
from gen_jax.core.starting import LAUNCHED

PATIENCE = 30.0  # seconds without a sign of life, or GEN_JAX_PATIENCE
LATE = 600.0  # seconds behind the others, or GEN_JAX_LATE
EVERY = 0.5  # seconds between two looks
CLOSELY = 4.0  # the same, once a connection is broken
GRACE = 3.0  # seconds that a process whose peers fail has to say why

_vigil: "_Vigil | None" = None


def keep() -> None:
    """Begin, once the processes have joined."""
    global _vigil
    if processes.together():
        _vigil = _Vigil()
        _vigil.begin()


def at(place: int) -> None:
    """The loop of this process is at this call."""
    if _vigil is not None:
        _vigil.place = place


@contextlib.contextmanager
def ahead() -> Iterator[None]:
    """A block in which this process waits for others, which are behind it: one that does not come in time hangs."""
    if _vigil is None:
        yield
        return
    _vigil.place += 0.5
    try:
        yield
    finally:
        _vigil.place -= 0.5


def asked() -> int | None:
    """The number of a signal that any process got; for the leader, who decides."""
    return _vigil.signal if _vigil is not None else None


def at_the_end(do: Callable[[str], None] | None) -> None:
    """What is done with the reason where another process ends this one (its manifest closed); None: nothing more."""
    if _vigil is not None:
        _vigil.last = do


def over() -> None:
    """A run came to its end on all: leave together."""
    global _vigil
    if _vigil is None:
        return
    processes.meet("end")
    _vigil.done.set()
    _vigil = None


def fail(error: BaseException, line: str, status: int) -> None:
    """This process ends with this line and status, and takes the others with it. Does not return where there are any.

    That a peer is gone is first seen as a broken connection, before it is known who it was: then that is told.
    """
    if _vigil is not None:
        _vigil.fail(broken(error), line, status)


def broken(error: BaseException) -> bool:
    """Whether it says no more than that another process does not answer."""
    text = str(error)
    return any(words in text for words in ("Gloo ", "NCCL operation", "Connection closed by peer", "Connection reset"))


def _name(other: int, word: Mapping[str, Any] | None) -> str:
    return f"process {other} ({word['who']})" if word else f"process {other}"


class Clock:
    """Seconds that count as silence of others: those in which the thread that listens had its turn. Where a machine is
    overloaded or suspended, nobody is gone because nobody was heard."""

    def __init__(self) -> None:
        self.now, self._before = 0.0, time.monotonic()

    def tick(self) -> float:
        """The time of this look; however long the last one was ago, a few looks' worth more than it."""
        passed, self._before = time.monotonic() - self._before, time.monotonic()
        self.now += min(passed, 4 * EVERY)
        return self.now


class _Vigil:
    def __init__(self) -> None:
        self.place, self.signal = 0.0, None
        self.last: Callable[[str], None] | None = None
        self.done = threading.Event()
        self.patience = float(os.environ.get("GEN_JAX_PATIENCE", PATIENCE))
        self.late = float(os.environ.get("GEN_JAX_LATE", LATE))
        self._who = f"on {platform.node()}, pid {os.getpid()}"
        self._looking, self._waiting = Clock(), Clock()
        self._answered = 0.0  # when the store last answered
        self._ending = threading.Lock()
        self._seen: dict[int, tuple[Any, float]] = {}  # process -> (its last word, when it changed)
        self._behind: dict[int, float] = {}

    def begin(self) -> None:
        self._listen_to_signals()
        for work in (self._beat, self._watch):
            threading.Thread(target=work, name=work.__name__, daemon=True).start()

    # ---- signals, seen at once though the main thread waits for a device ---------------------------------------------

    def _listen_to_signals(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)

        def read() -> None:
            while True:
                for number in os.read(reading, 64):
                    self._got(number)

        threading.Thread(target=read, name="signals", daemon=True).start()

    def _got(self, number: int) -> None:
        # What SIG_DFL or SIG_IGN handles never gets here; Python's own SIGINT (130) does.
        with contextlib.suppress(Exception):
            processes.put(f"asked/{processes.index()}", number)

    # ---- signs of life -----------------------------------------------------------------------------------------------

    def _beat(self) -> None:
        number = 0
        while not self.done.is_set():
            number += 1
            try:
                processes.put(f"beat/{processes.index()}", {"beat": number, "place": self.place, "who": self._who})
                if processes.leader():
                    if self.patience > CLOSELY and processes.listing("broken"):
                        self.patience = CLOSELY
                    self._look()
                    heard = list(processes.listing("asked").values())
                    self.signal = heard[0] if heard else None
                self._obey(processes.listing("end"))
                self._answered = self._waiting.now
            except Exception:  # the store is gone; the other thread counts how long
                time.sleep(0.1)
            self.done.wait(EVERY)

    def _look(self) -> None:
        """The leader: whose word has not changed for longest, and who is behind. Itself it does not judge: while it
        evaluates all others wait."""
        now, beats = self._looking.tick(), processes.listing("beat")
        silent, ahead = dict[int, float](), max((word["place"] for word in beats.values()), default=0)
        for other in range(1, processes.count()):
            word = beats.get(str(other))
            if other not in self._seen or self._seen[other][0] != word:
                self._seen[other] = word, now
            silent[other] = now - self._seen[other][1]
            if word is None or word["place"] >= ahead:
                self._behind.pop(other, None)
            elif (behind := now - self._behind.setdefault(other, now)) > self.late:
                self._decree(f"{_name(other, word)} is behind the others for {behind:.0f} s: it hangs")
        last = max(silent, key=lambda other: silent[other])
        if silent[last] > self.patience:
            what = f"has not been heard of for {silent[last]:.0f} s: it was killed, or stands still"
            self._decree(f"{_name(last, beats.get(str(last)))} {what}")

    def _watch(self) -> None:
        """Whether the store answers: it lives in process 0."""
        while not self.done.wait(EVERY):
            silent = self._waiting.tick() - self._answered
            if silent > self.patience and not processes.leader():
                what = f"has not been heard of for {silent:.0f} s: it was killed, or stands still"
                self._leave(self._of_the_leader(what), 1, aloud=processes.index() == 1)

    # ---- the end -----------------------------------------------------------------------------------------------------

    def _decree(self, what: str) -> None:
        self._leave(f"error: {what}; {_AGAIN}", 1)

    def _obey(self, said: Mapping[str, Any]) -> None:
        """What another process ends all with."""
        for other, word in said.items():
            if int(other) == processes.index():
                continue
            if processes.leader():
                time.sleep(EVERY)  # what all processes find out, the leader tells by itself
                kind, colon, rest = word["line"].partition(": ")  # "error: …" and "interrupted: …" begin so here, too
                self._leave(f"{kind}: process {other}: {rest}" if colon else f"process {other}: {kind}", word["status"])
            self._leave("", word["status"])

    def fail(self, broken: bool, line: str, status: int) -> None:
        if broken:
            try:
                processes.put(f"broken/{processes.index()}", True)  # the leader looks more closely now
            except Exception:
                self._leave(self._of_the_leader("is gone"), 1, aloud=processes.index() == 1)
            time.sleep(self.patience + GRACE)  # a verdict ends this process meanwhile
            line, status = f"another process does not answer ({line}); {_AGAIN}", 1
        self._leave(line, status)

    def _of_the_leader(self, what: str) -> str:
        return f"error: process 0, at {processes.coordinator()}, {what}; {_AGAIN}"

    def _leave(self, line: str, status: int, aloud: bool | None = None) -> None:
        """End this process at once: its main thread may wait for a device for ever. The leader tells the line."""
        if not self._ending.acquire(blocking=False):
            time.sleep(60.0)  # another thread is leaving
        if aloud is None:  # else the store is gone, or stands still with the process that holds it
            with contextlib.suppress(Exception):
                processes.put(f"end/{processes.index()}", {"line": line, "status": status})
        with contextlib.suppress(Exception):
            if self.last is not None:
                self.last(line)
        # `launch` sees better than process 1 how process 0 ended.
        if line and (processes.leader() or (aloud and LAUNCHED not in os.environ)):
            lines.mute(False)
            lines.say(line)
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        if processes.leader():
            time.sleep(4 * EVERY)  # the others hear of it from the store, which goes with the leader
        os._exit(status)


_AGAIN = "what was saved before is intact, and the same command continues, with any number of processes"
