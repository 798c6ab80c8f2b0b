"""How a command ends: the exit statuses, and one line on stderr where something went wrong."""

import contextlib
import errno
import os
import sys
from collections.abc import Iterator

from gen_jax.core.errors import SystemFault, UserError
from gen_jax.core.lines import say
from gen_jax.runs import streams
from gen_jax.runs.files import refused

TRACEBACKS = "GEN_JAX_TRACEBACK"  # set: what the machine refused is shown with its traceback
_OF_WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)  # no read ends so


class Interrupted(Exception):
    """A signal arrived and the run saved itself. `status` is 128 + the signal's number."""

    def __init__(self, message: str, status: int):
        super().__init__(message)
        self.status = status


class Diverged(Exception):
    """Training broke down (non-finite steps); the last sound checkpoint is kept."""


@contextlib.contextmanager
def exit_with() -> Iterator[None]:
    """Turn what the body raises into one line on stderr and an exit status.

    2: a usage error. 1: the run broke down, or the machine gave out (a full disk, no memory, standard output that
    cannot be written). 130/143: interrupted. 0 where the reader of the output has gone. Anything else is a defect of
    this project, or of an experiment's own code, and keeps its traceback.
    """
    with streams.settled():
        try:
            yield
            _flush()
        except KeyboardInterrupt:
            _leave("interrupted", 130)
        except SystemExit:
            _flush()
            raise
        except Exception as error:
            line, status = explained(error)
            if line is None:
                raise
            _leave(line, status)


def explained(error: Exception) -> tuple[str | None, int]:
    """The line and the exit status of an error; no line for a defect, whose traceback is worth more."""
    if isinstance(error, UserError):
        return f"error: {error}", 1 if isinstance(error, SystemFault) else 2
    if isinstance(error, Diverged):
        return f"stopped: {error}", 1
    if isinstance(error, Interrupted):
        return f"interrupted: {error}", error.status
    if isinstance(error, BrokenPipeError):
        return "", 0  # the reader of our output (head, less) has gone: nothing to say, and nobody to say it to
    if os.environ.get(TRACEBACKS):
        return None, 1
    if out_of_memory(error):
        return (
            f"error: out of memory ({_first_line(error)}); what was saved before is intact: ask for less at once "
            "(--batch-size, --width, --samples or --count)"
        ), 1
    if isinstance(error, OSError) and error.errno is not None:
        # Reads and writes of run folders come as UserErrors that say which; of the rest only some numbers do.
        act = "write" if error.errno in _OF_WRITING else "use"
        fault = refused(error, act, error.filename or "a file, socket or process")
        if isinstance(fault, SystemFault):
            return f"error: {fault}; what was saved before is intact", 1
        return f"error: {fault}", 2
    return None, 1


def out_of_memory(error: BaseException) -> bool:
    """True where the host or a device had no memory left."""
    if isinstance(error, MemoryError):
        return True
    text = str(error)
    return type(error).__name__ in ("JaxRuntimeError", "XlaRuntimeError") and (
        "RESOURCE_EXHAUSTED" in text or "Out of memory" in text
    )


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0] if len(lines[0]) <= 200 else f"{lines[0][:197]}..."


def _flush() -> None:
    """Standard output in full, while there is still somebody to tell that it cannot be written."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _leave("", 0)
    except OSError as error:
        _leave(f"error: {refused(error, 'write', error.filename)}", 1)
    except ValueError:  # closed by the command itself
        pass


def _leave(line: str, status: int) -> None:
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        streams.give_up_output()
    if line:
        say(line)
    sys.exit(status)
