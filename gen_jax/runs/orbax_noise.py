"""What Orbax logs, for a person: its warnings as one line each, told once; nothing of its progress and its tracebacks,
for its errors come back as exceptions.
"""

import logging
import sys
from collections.abc import Callable
from typing import Any

from gen_jax.core.lines import one_line, say


def hush() -> None:
    """Drop what Orbax logs below warnings, and the tracebacks of its writes that end too late. Calling it again changes
    nothing.

    Writes that end after a failed save has closed its event loop each print a traceback from a native thread: the
    failure itself has come back as an exception by then, so these say nothing and are dropped; all others are shown.
    """
    for logger in ("absl", "asyncio"):
        logging.getLogger(logger).addFilter(_not_orbax)
    if sys.unraisablehook is not _unless_closed_loop:
        _HOOK.append(sys.unraisablehook)
        sys.unraisablehook = _unless_closed_loop


_HOOK: list[Callable[[Any], Any]] = []  # what there was before, last


def _unless_closed_loop(unraisable: Any) -> None:
    if not (unraisable.exc_type is RuntimeError and str(unraisable.exc_value) == "Event loop is closed"):
        _HOOK[-1](unraisable)


_TOLD: set[str] = set()  # Orbax repeats itself, file by file
MOST = 300  # characters of a line


def _not_orbax(record: logging.LogRecord) -> bool:
    message = record.getMessage()
    said = record.pathname + message
    if "orbax" not in said and "tensorstore" not in said:
        return True
    # An error is followed by its exception, which says it better; a warning is all that there will be.
    if record.levelno == logging.WARNING and message not in _TOLD:
        _TOLD.add(message)
        line = one_line(message)
        say(f"checkpoints: {line if len(line) <= MOST else line[: MOST - 3] + '...'}")
    return False
