"""What a data set is to the rest of the project: two fixed splits with random access, a shape and a fingerprint.

Images stay uint8 NHWC until they are on the device (a quarter of the memory and of the traffic); points are float32.
"""

import dataclasses
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
    poisson: np.uint32 | None = None  # of 2^32: how likely each is in a batch, where they are drawn so (`data.poisson`)
    files: tuple[str, ...] | None = None  # what each was read from, where each is a file of a folder


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
    names: tuple[str, ...] | None = None  # of the classes, by number, where the data have any
    counts: tuple[int, ...] | None = None  # train examples of each class, where they are known
    notes: tuple[str, ...] = ()  # what a person should know of how it was read: splits, what was left out
    drawn_from: str | None = None  # where the run's seed drew a part of them: the fingerprint of what it drew from

    @property
    def present(self) -> int | None:
        """How many classes have examples to train on: one makes no classifier. None where that is not known."""
        return None if self.counts is None else sum(count > 0 for count in self.counts)

    @property
    def unlearnt(self) -> list[int]:
        """The classes that have no examples to train on, where that is known."""
        return [] if self.counts is None else [label for label, count in enumerate(self.counts) if not count]

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
    name: str,
    train: Arrays,
    test: Arrays,
    classes: int | None,
    modes: Modes | None = None,
    kind: Kind | None = None,
    names: tuple[str, ...] | None = None,
    notes: tuple[str, ...] = (),
) -> Source:
    """A source in memory; its fingerprint covers every pixel and label, in split order. `kind`: by default by shape."""
    shape = tuple(int(d) for d in train["x"].shape[1:])
    splits = in_memory(train), in_memory(test)
    counts = count(train.get("label"), classes)
    kind = kind or kinds.of(shape)
    return Source(
        name, shape, classes, fingerprint(*splits), *splits, modes, kind=kind, names=names, counts=counts, notes=notes
    )


def described(data: Source, names: tuple[str, ...] | None, notes: tuple[str, ...]) -> Source:
    """The same data with the names of their classes, and with what to say of them."""
    return dataclasses.replace(data, names=names, notes=notes)


def count(labels: np.ndarray | None, classes: int | None) -> tuple[int, ...] | None:
    """Examples of each class, labels below 0 apart. None without labels or classes."""
    if labels is None or classes is None:
        return None
    return tuple(np.bincount(labels[labels >= 0], minlength=classes).tolist())


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
    files = None if split.files is None else tuple(split.files[i] for i in indices.tolist())
    if split.arrays is not None:
        # not from `arrays`, which may be on the device
        return dataclasses.replace(in_memory(split.read(indices)), files=files)
    nbytes = round(split.nbytes * len(indices) / split.size)
    return Split(len(indices), lambda i: split.read(indices[i]), nbytes, files=files)


def joined(first: Split, second: Split) -> Split:
    """The examples of one split, and on from there those of another."""

    def read(indices: np.ndarray) -> dict[str, np.ndarray]:
        of_first = indices < first.size
        parts = first.read(indices[of_first]), second.read(indices[~of_first] - first.size)
        back = np.argsort(np.concatenate([np.flatnonzero(of_first), np.flatnonzero(~of_first)]))
        return {name: np.concatenate([part[name] for part in parts])[back] for name in parts[0]}

    files = None if first.files is None or second.files is None else first.files + second.files
    return Split(first.size + second.size, read, first.nbytes + second.nbytes, files=files)


def digest(*parts: Any) -> str:
    """SHA-256 (hex) of arrays and printable values, each preceded by its kind and size so that none can pose as two."""
    sha = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            _update(sha, part)
        else:
            data = part if isinstance(part, bytes) else repr(part).encode()
            sha.update(f"{type(part).__name__} {len(data)};".encode())
            sha.update(data)
    return sha.hexdigest()


def fingerprint(*splits: Split) -> str:
    """Digest of every pixel and label, in split order; the same whether a split is in memory or read as needed."""
    sha = hashlib.sha256()
    calls = {"x": "image"}  # as it was called when the first fingerprints were taken
    for split in splits:
        first = split.read(np.zeros(1, np.int64)) if split.arrays is None else split.arrays
        for entry in sorted(first, key=lambda entry: calls.get(entry, entry)):
            called = calls.get(entry, entry)
            data = repr(called).encode()
            sha.update(f"str {len(data)};".encode() + data)
            if split.arrays is not None:
                _update(sha, np.asarray(split.arrays[entry]))
                continue
            sha.update(f"array {first[entry].dtype.str} {(split.size, *first[entry].shape[1:])};".encode())
            for start in range(0, split.size, 4096):
                part = split.read(np.arange(start, min(start + 4096, split.size)))[entry]
                sha.update(np.ascontiguousarray(part).view(np.uint8).reshape(-1).data)
    return sha.hexdigest()


def _update(sha: Any, array: np.ndarray) -> None:
    sha.update(f"array {array.dtype.str} {array.shape};".encode())
    sha.update(np.ascontiguousarray(array).view(np.uint8).reshape(-1).data)


def to_float(image: Any, xp: Any = np) -> Any:
    """uint8 pixels 0..255 -> float32 in [-1, 1] (x / 127.5 - 1); points pass unchanged. `xp` is numpy or jax.numpy.

    Written as one rounding of an exact integer, (2x - 255) * (1/255), so that every compiler gives the same bits.
    """
    if image.dtype != np.uint8:
        return image
    return (2 * image.astype(xp.int32) - 255).astype(xp.float32) * np.float32(1 / 255)
