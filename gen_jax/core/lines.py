"""Lines for the person at the terminal: no name in them can steer the terminal, and none of them can end a run."""

import contextlib
import re
import sys
from typing import TextIO

# Control characters (an escape sequence hides or fakes lines), directions of writing (text that reads otherwise than
# it is), and the halves of characters that Python makes of names that are no UTF-8.
_HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: object) -> str:
    r"""The text with what a terminal would act on written out: "\x1b[2J" as backslash, x1b, [2J. Bytes of a name that
    are no UTF-8 are written as "\xff", too.
    """
    return _HIDDEN.sub(_written_out, str(text))


def _written_out(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:  # how Python holds a byte that is no UTF-8
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def one_line(text: object) -> str:
    """`visible`, of several lines joined to one."""
    return visible(" ".join(part.strip() for part in str(text).splitlines() if part.strip()))


_muted = False


def mute(silent: bool = True) -> None:
    """`say` nothing from here on: of several processes that run one program, one speaks."""
    global _muted
    _muted = silent


def muted() -> bool:
    """Whether `say` says nothing."""
    return _muted


def say(text: object, stream: TextIO | None = None) -> None:
    """One line on standard error (or `stream`), at once. A stream that is closed, full or has nobody at its end costs
    the line and nothing else: what a run computes does not depend on who watches it.
    """
    stream = stream or sys.stderr
    if stream is not None and not _muted:
        with contextlib.suppress(OSError, ValueError):  # ValueError: closed
            print(one_line(text) + "\n", end="", file=stream, flush=True)  # in one piece: threads write, too


def counted(number: int, what: str) -> str:
    """ "1 image", "2 images", "3,000 runs"."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def in_bytes(count: float) -> str:
    """Bytes for a person: "3.2 GiB"; a count that only a crafted file claims, as a power of ten."""
    if count >= 2**60:
        return f"some 10^{int((int(count).bit_length() - 1) * 0.30103)} bytes"
    unit = "bytes"
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB"):
        if count < 1024 or unit == "TiB":
            break
        count /= 1024
    return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:,.1f} {unit}"
