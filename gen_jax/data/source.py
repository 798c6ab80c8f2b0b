"""What a data set is to the rest of the project: two fixed splits with random access, a shape and a fingerprint.

Images stay uint8 NHWC until they are on the device (a quarter of the memory and of the traffic); points are float32.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.data import kinds, order
from gen_jax.data.kinds import IMAGES, Kind

Arrays = Mapping[str, np.ndarray]  # "x" uint8 [N, H, W, C] or float32 [N, D]; "label" int32 [N] where there is one

IN_MEMORY_BYTES = 2 * 2**30  # decoded splits up to this size are kept in host memory; larger ones are read lazily


@dataclass(frozen=True)
class Split:
    """Examples by number. `read(indices int64 [n])` gives arrays with leading axis n, in the order asked for."""

    size: int
    read: Callable[[np.ndarray], dict[str, np.ndarray]]
    nbytes: int  # of the whole split once decoded
    arrays: Arrays | None = None  # the whole split, where it is in memory
    thresholds: np.ndarray | None = None  # uint32 [size] where examples are drawn by weight (`data.weighted`)


class Modes(NamedTuple):
    """An isotropic Gaussian mixture with equal weights, for the mode metrics of toy data."""

    centres: np.ndarray  # float32 [K, D]
    sigma: float


@dataclass(frozen=True)
class Source:
    """A data set. `shape` is (H, W, C) of the images or (D,) of points; `classes` is None where there are no labels."""

    name: str
    shape: tuple[int, ...]
    classes: int | None
    fingerprint: str  # SHA-256 in hex: the same data, split, size and channels, or another fingerprint
    train: Split
    test: Split
    modes: Modes | None = None  # known for toy mixtures only
    others: Mapping[str, Split] = field(default_factory=dict)  # further streams that a phase can draw from, by name
    kind: Kind = IMAGES

    def split(self, name: str) -> Split:
        """A split by its name. Raises UserError, with the names there are, where there is none."""
        splits = {"train": self.train, "test": self.test, **self.others}
        if name not in splits:
            raise UserError(f"{self.name} has no examples called {name!r}; it has {', '.join(splits)}")
        return splits[name]


def in_memory(arrays: Arrays) -> Split:
    """A split whose arrays are at hand."""
    size = len(arrays["x"])
    nbytes = sum(int(a.nbytes) for a in arrays.values())
    return Split(size, lambda indices: {name: a[indices] for name, a in arrays.items()}, nbytes, arrays)


def lazy(size: int, read: Callable[[np.ndarray], dict[str, np.ndarray]], shape: tuple[int, ...], labels: bool) -> Split:
    """A split of uint8 images that is read as it is needed."""
    return Split(size, read, size * (int(np.prod(shape)) + 4 * labels))


def from_arrays(
    name: str, train: Arrays, test: Arrays, classes: int | None, modes: Modes | None = None, kind: Kind | None = None
) -> Source:
    """A source in memory; its fingerprint covers every pixel and label, in split order. `kind`: by default by shape."""
    shape = tuple(int(d) for d in train["x"].shape[1:])
    names = {"x": "image"}  # as it was called when the first fingerprints were taken
    parts = [
        part
        for split in (train, test)
        for name in sorted(split, key=lambda name: names.get(name, name))
        for part in (names.get(name, name), split[name])
    ]
    return Source(
        name, shape, classes, digest(*parts), in_memory(train), in_memory(test), modes, kind=kind or kinds.of(shape)
    )


def whole(split: Split) -> Arrays:
    """All of a split as arrays, reading what is not in memory."""
    return split.arrays if split.arrays is not None else split.read(np.arange(split.size))


def holdout(size: int) -> tuple[np.ndarray, np.ndarray]:
    """(train, test) indices of data without a test split: a fixed pseudo-random 10 % (at least one) is held out."""
    shuffled = order.permute(np.arange(size), size, np.uint32(0x7E57), np)
    count = max(1, size // 10)
    return np.sort(shuffled[count:]).astype(np.int64), np.sort(shuffled[:count]).astype(np.int64)


def evenly(size: int, most: int) -> np.ndarray:
    """At most `most` of `size` example numbers, spread evenly and ascending: all of them where they are few enough."""
    return np.unique(np.linspace(0, size - 1, min(size, most)).astype(np.int64))


def subset(split: Split, indices: np.ndarray) -> Split:
    """The given examples of a split, renumbered from 0."""
    if split.arrays is not None:
        return in_memory(split.read(indices))  # not from `arrays`, which may be on the device
    return Split(len(indices), lambda i: split.read(indices[i]), round(split.nbytes * len(indices) / split.size))


def digest(*parts: Any) -> str:
    """SHA-256 (hex) of arrays and printable values, each preceded by its kind and size so that none can pose as two."""
    sha = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            sha.update(f"array {part.dtype.str} {part.shape};".encode())
            sha.update(np.ascontiguousarray(part).view(np.uint8).reshape(-1).data)
        else:
            data = part if isinstance(part, bytes) else repr(part).encode()
            sha.update(f"{type(part).__name__} {len(data)};".encode())
            sha.update(data)
    return sha.hexdigest()


def to_float(image: Any, xp: Any = np) -> Any:
    """uint8 pixels 0..255 -> float32 in [-1, 1] (x / 127.5 - 1); points pass unchanged. `xp` is numpy or jax.numpy.

    Written as one rounding of an exact integer, (2x - 255) * (1/255), so that every compiler gives the same bits.
    """
    if image.dtype != np.uint8:
        return image
    return (2 * image.astype(xp.int32) - 255).astype(xp.float32) * np.float32(1 / 255)
