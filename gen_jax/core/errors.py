"""The exceptions that mean "it cannot be done, and no defect is why": shown as one line, without a traceback."""

import sys
from pathlib import Path


class UserError(Exception):
    """A usage error, exit status 2. The message is one line that says what is wrong and what would work; nothing was
    touched."""


class SystemFault(UserError):
    """The machine gave out on the way (a full disk, no memory, a device that fails): one line, exit status 1. What was
    saved before is intact, and the same command continues."""


def missing_package(package: str, command: str, purpose: str) -> UserError:
    """The error for an optional package that is not installed, naming the command that installs it."""
    how = installing(command)
    return UserError(f"{purpose} needs the package {package}, which is not installed; install it with: {how}")


def installing(command: str) -> str:
    """`pip install …` for the environment that this process runs in: another's pip stands first on many a path."""
    python = Path(sys.executable)
    here = python.relative_to(Path.cwd()) if python.is_relative_to(Path.cwd()) else python
    return f"{here} -m {command}"
