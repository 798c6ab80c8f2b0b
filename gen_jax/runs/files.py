"""Files that are either the old one or the new one, never half of each: written beside, flushed, renamed over. And
what the system says where a file cannot be read or written, as one line that tells the two apart.
"""

import contextlib
import errno
import json
import math
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gen_jax.core.errors import SystemFault, UserError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_BROKEN = (errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENODEV, errno.ENXIO, errno.ESTALE)
_JSON = 256 << 20  # bytes: no file of a run comes near it
_DEEP = 100  # levels of JSON in JSON; settings and protocols have five


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


def refused(error: OSError, act: str, path: object) -> UserError:
    """The system's refusal to `act` ("read", "write") as the one line for it, whatever its number.

    A full disk and a device that fails are `SystemFault`s (the machine gave out); all else is something about the path.
    """
    reason = error.strerror or " ".join(str(error).split()) or type(error).__name__
    if error.errno in _FULL:
        return SystemFault(f"no space left to write {path} ({reason}); free some, then run again")
    kind = SystemFault if error.errno in _BROKEN else UserError
    return kind(f"cannot {act} {path}: {reason}")


@contextlib.contextmanager
def writing(path: str | os.PathLike) -> Iterator[None]:
    """Turn the failures of the disk under `path` into a `UserError` of one line; everything else passes unchanged."""
    try:
        yield
    except OSError as error:
        raise refused(error, "write", path) from error


@contextlib.contextmanager
def reading(path: str | os.PathLike) -> Iterator[None]:
    """`writing`'s twin: a file that cannot be read is never said to be one that cannot be written."""
    try:
        yield
    except OSError as error:
        raise refused(error, "read", path) from error


def read_bytes(path: str | os.PathLike, most: int) -> bytes:
    """The content of an ordinary file of `most` bytes at most. Raises `UserError` for a file that is missing, cannot be
    read, is larger, or is none (a folder, a pipe that would never end).
    """
    # Opening a pipe waits for somebody to write into it, unless it is told not to.
    with reading(path), open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        state = os.fstat(file.fileno())
        if not stat.S_ISREG(state.st_mode):
            raise UserError(f"cannot read {path}: it is a {_kind(state.st_mode)}, where a file is meant")
        if state.st_size > most:
            raise UserError(f"cannot read {path}: it has {state.st_size:,} bytes, and no such file has over {most:,}")
        return file.read(most)


def atomic_write_bytes(path: str | os.PathLike, content: bytes) -> Path:
    """Replace the file at `path` by `content` in one step. Raises `UserError` (full disk, no permission)."""
    path = Path(path)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.", suffix=".tmp")
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


def clear_unfinished(folder: Path) -> None:
    """Remove what killed processes left half-written by `atomic_write_bytes` in a folder that many write to: what is
    older than an hour."""
    for path in folder.glob(".*.tmp"):
        with contextlib.suppress(OSError):
            if path.is_file() and time.time() - path.stat().st_mtime > 3600:
                path.unlink()


def atomic_write_text(path: str | os.PathLike, text: str) -> Path:
    """`atomic_write_bytes` of UTF-8 text; what is none (names of files may be any bytes) is in it as "\\udcff"."""
    return atomic_write_bytes(path, text.encode(errors="backslashreplace"))


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
    """The JSON in the file, or `default` where there is no such file. Raises `UserError` where it cannot be read or is
    not JSON; what shape it has, `runs.shapes` says.
    """
    try:
        content = read_bytes(path, _JSON)
    except UserError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return default
        raise
    try:
        return parse_json(content)
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON ({error}); mend or delete it") from error


def parse_json(content: bytes | str) -> Any:
    """`json.loads`, whose every refusal is a ValueError: also of what nests without end."""
    try:
        found = json.loads(content)
    except RecursionError:
        raise ValueError("it nests too deep") from None
    level = [found]
    for _ in range(_DEEP):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return found
    raise ValueError("it nests too deep")


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "folder", stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"}
    return kinds.get(stat.S_IFMT(mode), "device")


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
