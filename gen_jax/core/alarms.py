"""XLA's alarm that an operation is slow: a block on standard error, as an error, which no setting switches off.

Where a line of ours says already that something is compiled, the block says nothing more: it is taken out of what XLA
writes, and all else is passed on.
"""

import contextlib
import os
import re
import sys
import threading
from collections.abc import Iterator

_BEGINS = re.compile(rb"slow_operation_alarm\.cc:\d+\]")
_OTHER = re.compile(rb"^[IWEF]\d{4} \d\d:")  # another line of the log
_LAST = b"attach the results"


class Filter:
    """Lines without the alarms among them."""

    def __init__(self) -> None:
        self._inside = False
        self._frame = False  # a row of asterisks may close the block

    def keeps(self, line: bytes) -> bool:
        """Whether the next line is one for a person."""
        if _BEGINS.search(line):
            self._inside, self._frame = True, False
            return False
        if self._inside and _OTHER.match(line):
            self._inside = False
        if self._inside:
            self._inside, self._frame = _LAST not in line, _LAST in line
            return False
        framed, self._frame = self._frame and not line.strip(b"*\r\n"), False
        return not framed


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """Takes the alarms out of what native code writes while the block lasts. Python's own lines, and a bar on a
    terminal, go past this: they reach standard error as ever. Nothing changes where there is none."""
    try:
        kept, (end, begin) = os.dup(2), os.pipe()
    except OSError:
        yield
        return
    stream = sys.stderr
    own = _has_descriptor(stream, 2)
    pump = threading.Thread(target=_pump, args=(end, os.dup(kept)), name="alarms", daemon=True)
    pump.start()
    if own:
        stream.flush()
        sys.stderr = os.fdopen(os.dup(kept), "w", buffering=1, encoding=stream.encoding, errors="backslashreplace")
    os.dup2(begin, 2)
    os.close(begin)
    try:
        yield
    finally:
        os.dup2(kept, 2)  # the last writer of the pipe: what is left in it comes out, and its reader ends
        if own:
            passed, sys.stderr = sys.stderr, stream
            passed.flush()
        pump.join(5.0)
        os.close(kept)


def _has_descriptor(stream: object, number: int) -> bool:
    try:
        return stream is not None and stream.fileno() == number  # type: ignore[attr-defined]
    except (OSError, ValueError, AttributeError):  # captured, or closed
        return False


def _pump(end: int, to: int) -> None:
    lines = Filter()
    with os.fdopen(end, "rb") as source, os.fdopen(to, "wb", buffering=0) as passed, contextlib.suppress(OSError):
        for line in source:
            if lines.keeps(line):
                passed.write(line)
