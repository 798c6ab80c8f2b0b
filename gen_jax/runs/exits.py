"""How a command ends: the exit statuses, and one line on stderr where something went wrong."""

import contextlib
import errno
import sys
from collections.abc import Iterator

from gen_jax.core.errors import UserError


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

    2: a usage error. 1: the run broke down, or the disk is full. 130/143: interrupted. Anything else is a defect of
    this project and keeps its traceback.
    """
    try:
        yield
    except UserError as error:
        _leave(f"error: {error}", 2)
    except Diverged as error:
        _leave(f"stopped: {error}", 1)
    except Interrupted as error:
        _leave(f"interrupted: {error}", error.status)
    except KeyboardInterrupt:
        _leave("interrupted", 130)
    except BrokenPipeError:
        # The reader of our output (head, less) has gone: nothing to say, and nobody to say it to.
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        where = f" ({error.filename})" if error.filename else ""
        _leave(f"error: cannot write{where}: {error.strerror}; what was saved before is intact", 1)


def _leave(line: str, status: int) -> None:
    sys.stdout.flush()
    print(line, file=sys.stderr, flush=True)
    sys.exit(status)
