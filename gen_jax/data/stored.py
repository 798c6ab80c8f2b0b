"""Arrays in .npy and .npz files: mapped where they lie uncompressed, else streamed, a block of rows at a time.

Nothing is believed of a header that the file does not hold: a claimed size is compared with the bytes that are there
before memory is asked for. Pickled objects are never loaded.
"""

import math
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.lib import format as npy

from gen_jax.core.errors import UserError
from gen_jax.core.lines import in_bytes

BLOCK_BYTES = 16 * 2**20
DEFLATE_RATIO = 1100  # deflate packs 1032 to 1 at most (zlib's technical notes)
LOCAL_HEADER = struct.Struct("<26xHH")  # of a zip member: 26 bytes, then the lengths of its name and its extra field


class Stored(NamedTuple):
    """One array of a file, of which only the header has been read."""

    file: Path
    member: str | None  # in a zip, or None for a file of its own
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    fortran: bool
    offset: int | None  # of its first byte in the file; None where it is compressed

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def arrays(file: Path, what: str) -> dict[str, Stored]:
    """The arrays of a file by name; that of a .npy file is called "images". `what`: the file in messages.

    Raises UserError for files that are neither, are damaged, hold objects, or claim more than they hold.
    """
    with sound(what):
        with file.open("rb") as opened:
            start = opened.read(8)
        if start.startswith(npy.MAGIC_PREFIX):
            with file.open("rb") as opened:
                return {"images": _header(opened, file, None, "images", file.stat().st_size, compressed=False)}
        if not start.startswith(b"PK"):
            raise ValueError("it is neither a zip nor a .npy file")
        with zipfile.ZipFile(file) as archive:
            found = [_member(archive, info, file) for info in archive.infolist() if info.filename.endswith(".npy")]
        return {stored.name: stored for stored in found}


@contextmanager
def sound(what: str) -> Iterator[None]:
    """What a damaged file raises, as one line."""
    try:
        yield
    except (
        OSError, ValueError, EOFError, MemoryError, OverflowError, AttributeError, TypeError, RecursionError,
        SyntaxError, NotImplementedError, RuntimeError, zlib.error, struct.error, zipfile.BadZipFile,
        zipfile.LargeZipFile,
    ) as error:  # fmt: skip
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{what} is not a sound .npz file ({reason})") from None


def mapped(stored: Stored) -> np.ndarray:
    """The array without reading it; only where it lies uncompressed and is not empty."""
    assert stored.offset is not None
    order = "F" if stored.fortran else "C"
    return np.memmap(stored.file, stored.dtype, "r", stored.offset, stored.shape, order)


def blocks(stored: Stored) -> Iterator[np.ndarray]:
    """The rows in order, some MiB at a time. Raises what `sound` catches for damage, a wrong CRC among it."""
    if stored.fortran:  # its rows lie scattered: nothing to stream
        yield from _slices(_whole_fortran(stored), stored)
        return
    with _opened(stored) as content:
        width = math.prod(stored.shape[1:]) * stored.dtype.itemsize
        step = max(1, BLOCK_BYTES // max(width, 1))
        for start in range(0, stored.shape[0], step):
            rows = min(step, stored.shape[0] - start)
            data = content.read(rows * width)
            if len(data) != rows * width:
                raise EOFError(f"{stored.name} ends early")
            yield np.frombuffer(data, stored.dtype).reshape(rows, *stored.shape[1:])
        if stored.member is not None and content.read(1):  # to the end, where the CRC is checked
            raise ValueError(f"{stored.name} is longer than its header says")


def whole(stored: Stored) -> np.ndarray:
    """All of it in memory. Raises as `blocks`."""
    found = np.empty(stored.shape, stored.dtype)
    row = 0
    for block in blocks(stored):
        found[row : row + len(block)] = block
        row += len(block)
    return found


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, file: Path) -> Stored:
    name, size = info.filename.removesuffix(".npy"), file.stat().st_size
    if info.flag_bits & 1:
        raise ValueError(f"{name} is encrypted")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{name} is packed by a method that NumPy does not write")
    if info.compress_size > size or info.file_size > DEFLATE_RATIO * max(info.compress_size, 1):
        raise ValueError(f"{name} claims {in_bytes(info.file_size)} in a file of {in_bytes(size)}")
    with archive.open(info) as content:
        return _header(content, file, info, name, info.file_size, info.compress_type != zipfile.ZIP_STORED)


def _header(
    content: IO[bytes], file: Path, info: zipfile.ZipInfo | None, name: str, size: int, compressed: bool
) -> Stored:
    version = npy.read_magic(content)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"{name} is of format {version}, which only arrays of records need")
    shape, fortran, dtype = (npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0)(content)
    if dtype.hasobject:
        raise ValueError(f"{name} holds Python objects, which are never loaded")
    if any(side < 0 for side in shape):
        raise ValueError(f"{name} claims a shape of {shape}")
    begin = content.tell()
    claimed = math.prod(shape) * dtype.itemsize
    if claimed > size - begin:
        raise ValueError(f"{name} claims {in_bytes(claimed)}, and {in_bytes(size - begin)} are there")
    place = None if compressed else begin + (_data_of(file, info) if info else 0)
    if place is not None and place + claimed > file.stat().st_size:
        raise ValueError(f"{name} ends early")
    return Stored(file, info.filename if info else None, name, tuple(map(int, shape)), dtype, bool(fortran), place)


def _data_of(file: Path, info: zipfile.ZipInfo) -> int:
    """Where the bytes of an uncompressed member begin."""
    with file.open("rb") as opened:
        opened.seek(info.header_offset)
        name, extra = LOCAL_HEADER.unpack(opened.read(LOCAL_HEADER.size))
    return info.header_offset + LOCAL_HEADER.size + name + extra


@contextmanager
def _opened(stored: Stored) -> Iterator[IO[bytes]]:
    """The bytes of an array, behind its header."""
    if stored.member is None:
        with stored.file.open("rb") as content:
            content.seek(stored.offset or 0)
            yield content
        return
    with zipfile.ZipFile(stored.file) as archive, archive.open(stored.member) as content:
        version = npy.read_magic(content)
        (npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0)(content)
        yield content


def _whole_fortran(stored: Stored) -> np.ndarray:
    if stored.member is None:
        return mapped(stored)
    with _opened(stored) as content:  # to the end, where the CRC is checked
        return np.frombuffer(content.read(), stored.dtype).reshape(stored.shape[::-1]).T


def _slices(found: np.ndarray, stored: Stored) -> Iterator[np.ndarray]:
    step = max(1, BLOCK_BYTES // max(stored.nbytes // max(len(found), 1), 1))
    for start in range(0, len(found), step):
        yield np.ascontiguousarray(found[start : start + step])
