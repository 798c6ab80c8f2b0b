"""The one exception that means "the person asked for what cannot be done": shown as one line, exit status 2."""


class UserError(Exception):
    """A usage error. The message is one line that says what is wrong and what would work; nothing was touched."""


def missing_package(package: str, command: str, purpose: str) -> UserError:
    """The error for an optional package that is not installed, naming the command that installs it."""
    return UserError(f"{purpose} needs the package {package}, which is not installed; install it with: {command}")
