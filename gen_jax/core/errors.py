"""The exceptions that mean "it cannot be done, and no defect is why": shown as one line, without a traceback."""


class UserError(Exception):
    """A usage error, exit status 2. The message is one line that says what is wrong and what would work; nothing was
    touched."""


class SystemFault(UserError):
    """The machine gave out on the way (a full disk, no memory, a device that fails): one line, exit status 1. What was
    saved before is intact, and the same command continues."""


def missing_package(package: str, command: str, purpose: str) -> UserError:
    """The error for an optional package that is not installed, naming the command that installs it."""
    return UserError(f"{purpose} needs the package {package}, which is not installed; install it with: {command}")
