"""Keeps Orbax's own lines and tracebacks off the person's screen: its errors come back as exceptions, told once."""

import logging
import sys
from collections.abc import Callable
from typing import Any


def hush() -> None:
    """Drop what Orbax logs, and the tracebacks of its writes that end too late. Calling it again changes nothing.

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


def _not_orbax(record: logging.LogRecord) -> bool:
    said = record.pathname + record.getMessage()
    return "orbax" not in said and "tensorstore" not in said
