"""Whether a function is being traced for any platform and any batch size, as an exported program is.

Layers whose fast form on one platform wants fixed sizes take their plain form then.
"""

import contextlib
import contextvars
from collections.abc import Iterator

_tracing = contextvars.ContextVar("portable", default=False)


@contextlib.contextmanager
def tracing() -> Iterator[None]:
    """What is traced in this block is portable."""
    token = _tracing.set(True)
    try:
        yield
    finally:
        _tracing.reset(token)


def wanted() -> bool:
    """True inside `tracing`."""
    return _tracing.get()
