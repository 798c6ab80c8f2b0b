"""Standard output and error as a command needs them: every name can be printed, and a stream that fails ends no run.

A terminal that knows ASCII only gets "x" for "×"; a name that is no UTF-8 gets its bytes written out. Standard error
may be closed (a daemon), full (`nohup` on a full disk) or gone (a terminal that was closed): what is said there is
lost, and nothing else is. Standard output is a command's result: that it cannot be written is told.
"""

import codecs
import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO, cast

HANDLER = "gen_jax.plain"
PLAIN = {
    "×": "x", "−": "-", "–": "-", "—": "-", "±": "+-", "…": "...", "·": ".", "↑": "higher", "↓": "lower", "→": "->",
    "≥": ">=", "≤": "<=", "²": "^2", "≈": "~", "━": "=", "╌": "-", "’": "'", "“": '"', "”": '"',
}  # fmt: skip


def plainly(error: UnicodeError) -> tuple[str, int]:
    """An error handler of `codecs`: what an encoding lacks, in ASCII."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_plain(character) for character in error.object[error.start : error.end]), error.end


def _plain(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return PLAIN.get(character) or character.encode("ascii", "backslashreplace").decode()


codecs.register_error(HANDLER, plainly)


class _Lossy:
    """See `lossy`. What it does not know it asks the stream."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):  # ValueError: closed
            return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()

    def isatty(self) -> bool:
        with contextlib.suppress(OSError, ValueError):
            return self._stream.isatty()
        return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Named:
    """Standard output, whose failures say what it was that could not be written."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with _named():
            return self._stream.write(text)

    def flush(self) -> None:
        with _named():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def _named() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, "standard output") from error


def lossy(stream: TextIO) -> TextIO:
    """The stream, whose failures cost what was said and nothing else."""
    return cast(TextIO, _Lossy(stream))


@contextlib.contextmanager
def settled() -> Iterator[None]:
    """Standard streams as above, for a block; then they are what they were."""
    before = sys.stdout, sys.stderr
    _take_closed_descriptors()
    for stream in before:
        if (reconfigure := getattr(stream, "reconfigure", None)) is not None:
            with contextlib.suppress(OSError, ValueError):  # already closed, or it cannot be flushed
                reconfigure(errors=HANDLER)
    sys.stdout = cast(TextIO, _Named(before[0] if before[0] is not None else nowhere()))
    sys.stderr = lossy(before[1] if before[1] is not None else nowhere())
    try:
        yield
    finally:
        if sys.stdout is not _LOST:
            sys.stdout = before[0]
        sys.stderr = before[1]


_LOST: Any = None  # what standard output became when nobody was left to read it


def give_up_output() -> None:
    """Standard output cannot be written: from here on it leads nowhere, also for Python's own last flush."""
    global _LOST
    _LOST = sys.stdout = nowhere()


def nowhere() -> TextIO:
    """A stream that takes everything and keeps nothing."""
    return open(os.devnull, "w", encoding="utf-8", errors="replace")


def _take_closed_descriptors() -> None:
    """0, 1 and 2 are never left free: the next file that is opened would be given the number, and what libraries write
    to standard error would stand in it.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            with contextlib.suppress(OSError):
                os.open(os.devnull, os.O_RDWR)  # the lowest that is free, and so this one
