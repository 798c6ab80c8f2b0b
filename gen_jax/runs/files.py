"""Files that are either the old one or the new one, never half of each: written beside, flushed, renamed over."""

import contextlib
import errno
import json
import math
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gen_jax.core.errors import UserError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def out_of_space(error: BaseException) -> bool:
    """True if the error, or one that caused it, says that the disk, the quota or the file-size limit is exhausted."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in _FULL:
            return True
        # TensorStore reports through ValueError, with only strerror's words to go by.
        if any(os.strerror(code) in str(seen) for code in _FULL):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


@contextlib.contextmanager
def writing(path: str | os.PathLike) -> Iterator[None]:
    """Turn the failures of the disk under `path` into a `UserError` of one line; everything else passes unchanged."""
    try:
        yield
    except OSError as error:
        if out_of_space(error):
            raise UserError(f"no space left to write {path} ({error.strerror}); free some, then run again") from error
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error


def atomic_write_bytes(path: str | os.PathLike, content: bytes) -> Path:
    """Replace the file at `path` by `content` in one step. Raises `UserError` (full disk, no permission)."""
    path = Path(path)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o666 & ~_umask())  # mkstemp makes private files; a run folder is to be shared
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    return path


def atomic_write_text(path: str | os.PathLike, text: str) -> Path:
    """`atomic_write_bytes` of UTF-8 text."""
    return atomic_write_bytes(path, text.encode())


def atomic_write_json(path: str | os.PathLike, value: Any) -> Path:
    """`atomic_write_bytes` of indented, strictly valid JSON: what is not finite becomes null (see `plain`)."""
    return atomic_write_text(path, json.dumps(plain(value), indent=2, allow_nan=False) + "\n")


def plain(value: Any) -> Any:
    """The value as JSON can hold it: NumPy and JAX scalars and arrays as numbers and lists, NaN and infinities as null,
    mappings with string keys, enums and paths as their text.
    """
    if value is None or type(value) in (bool, int, str):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):  # NumPy and JAX arrays and scalars
        return plain(value.tolist())
    if hasattr(value, "name") and hasattr(value, "value"):  # enums
        return value.name
    return str(value)


def read_json(path: str | os.PathLike, default: Any = None) -> Any:
    """The JSON in the file, or `default` where there is no such file. Raises `UserError` where it is not JSON."""
    try:
        return json.loads(Path(path).read_text())
    except FileNotFoundError:
        return default
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid JSON ({error}); mend or delete it") from error


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
