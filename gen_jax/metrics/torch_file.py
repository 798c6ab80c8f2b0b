"""Read the tensors of a PyTorch .pth file (zip format or the older stream) into numpy, without PyTorch.

A .pth file is a pickle whose tensors point at raw storages. Only the handful of globals that a state dict needs are
allowed, so a crafted file cannot run code; and nothing larger than the file itself is made of it, but for the tensors,
which together take four times its size at most (published files share no storage between tensors).
"""

import functools
import io
import math
import mmap
import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from gen_jax.core.errors import UserError

DTYPES = {
    "FloatStorage": np.float32,
    "DoubleStorage": np.float64,
    "HalfStorage": np.float16,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "ShortStorage": np.int16,
    "CharStorage": np.int8,
    "ByteStorage": np.uint8,
    "BoolStorage": np.bool_,
}
STREAM_MAGIC = 0x1950A86A20F9469CFC6C


class _Tensor:
    """A tensor whose storage may not have been read yet: the stream format stores the bytes after the pickle."""

    def __init__(self, storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...]):
        self.storage, self.offset, self.size, self.stride = storage, offset, size, stride

    def array(self, data: np.ndarray) -> np.ndarray:
        if (
            not all(isinstance(n, int) for n in (self.offset, *self.size, *self.stride))
            or min(self.size, default=0) < 0
        ):
            raise ValueError("a tensor has a size that is none")
        if 0 in self.size:
            return np.zeros([min(n, len(data)) for n in self.size], data.dtype)
        last = self.offset + sum((n - 1) * s for n, s in zip(self.size, self.stride, strict=True))
        if min((self.offset, *self.stride)) < 0 or last >= len(data):
            raise ValueError("a tensor reaches past its storage")
        if math.prod(self.size) > len(data):  # stride 0: a number that stands for any count of them
            raise ValueError("a tensor has more elements than its storage")
        strides = [s * data.itemsize for s in self.stride]
        return np.lib.stride_tricks.as_strided(data[self.offset :], self.size, strides).copy()


def _rebuild(storage, offset, size, stride, *_unused) -> _Tensor:
    return _Tensor(storage, offset, tuple(size), tuple(stride))


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return lambda tensor, *_unused: tensor
        if module in ("torch", "torch.storage") and name in DTYPES:
            return DTYPES[name]
        raise pickle.UnpicklingError(f"{module}.{name} does not belong in a file of weights")

    def persistent_load(self, pid: Any) -> Any:
        kind, dtype, key, _location, count = pid[:5]
        if kind != "storage" or dtype not in DTYPES.values():
            raise pickle.UnpicklingError("an unknown kind of reference")
        return str(key), np.dtype(dtype), int(count)


def _arrays(state: Any, storages, most: int) -> dict[str, np.ndarray]:
    """The tensors of a state dict, of `most` bytes in all."""
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict):
        raise ValueError("it holds no state dict")
    arrays = {}
    for name, value in state.items():
        if isinstance(value, _Tensor):
            arrays[name] = value.array(storages(value.storage))
            most -= arrays[name].nbytes
            if most < 0:
                raise ValueError("its tensors are many times as large as the file")
    return arrays


def _read_zip(path: Path) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(path) as archive:
        index = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
        root = index.removesuffix("data.pkl")
        size = path.stat().st_size

        def content(name: str) -> bytes:
            if archive.getinfo(name).file_size > size:  # PyTorch stores; only a bomb is larger inside than outside
                raise ValueError(f"{name} says that it is larger than the file")
            return archive.read(name)

        @functools.cache
        def storage(reference):
            key, dtype, _count = reference
            return np.frombuffer(content(f"{root}data/{key}"), dtype)

        return _arrays(_Unpickler(io.BytesIO(content(index))).load(), storage, 4 * size)


def _read_stream(path: Path) -> dict[str, np.ndarray]:
    # Mapped, for a read of a mapping returns what there is; that of a file makes room for what was asked first.
    with path.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as file:
        if _Unpickler(file).load() != STREAM_MAGIC:
            raise ValueError("it is not a PyTorch file")
        _Unpickler(file).load()  # protocol version
        _Unpickler(file).load()  # sizes and endianness of the writer; every published file is little-endian
        unpickler = _Unpickler(file)
        state = unpickler.load()
        order = _Unpickler(file).load()
        dtypes = {value.storage[0]: value.storage[1] for value in state.values() if isinstance(value, _Tensor)}
        data = {}
        for key in map(str, order):
            count = int.from_bytes(file.read(8), "little")
            data[key] = np.frombuffer(file.read(count * dtypes[key].itemsize), dtypes[key], count)
        return _arrays(state, lambda reference: data[reference[0]], 4 * len(file))


def read_state_dict(path: str | os.PathLike, hint: str = "check the path") -> dict[str, np.ndarray]:
    """The tensors of a PyTorch state dict by name. UserError if the file is missing, damaged or holds something
    else.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"no weight file at {path}; {hint}")
    try:
        return _read_zip(path) if zipfile.is_zipfile(path) else _read_stream(path)
    except Exception as error:  # a foreign or truncated pickle raises nearly anything
        raise UserError(f"cannot read weights from {path} ({error}); {hint}") from error
