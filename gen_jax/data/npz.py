"""`npz:PATH`: arrays in one NumPy file (.npz, or .npy for one), uint8 [N, H, W] or [N, H, W, C], and labels or none.

C is 1, 3, or 2 and 4 with alpha last. Booleans are black and white. Names: train_images, test_images (train_labels,
test_labels), or x_train, x_test (y_train, y_test), or images (labels) or arr_0 (arr_1), of which a fixed pseudo-random
10 % is held out to test. Labels are numbered from 0 (`labels`). Arrays above `source.IN_MEMORY_BYTES` stay in the file
where it is not compressed; others are read once, in blocks, so that memory holds them once.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.core.lines import in_bytes, visible
from gen_jax.data import images, labels, memory, places, source, stored
from gen_jax.data.images import How
from gen_jax.data.reading import short
from gen_jax.data.stored import Stored

PAIRS = (("train_images", "train_labels", "test_images", "test_labels"), ("x_train", "y_train", "x_test", "y_test"))
SINGLE = (("images", "labels"), ("arr_0", "arr_1"))  # the second as np.savez calls arrays that have no name


class _Part(NamedTuple):
    """A split: an array in the file, which of its rows (None: all), and their labels as they are there."""

    array: Stored
    rows: np.ndarray | None
    label: np.ndarray | None

    @property
    def size(self) -> int:
        return self.array.shape[0] if self.rows is None else len(self.rows)


def npz(path: str, how: How = How()) -> source.Source:
    """Reads or maps the file. Raises UserError for a missing or damaged file, other arrays, and too much data."""
    file, what = places.file_at(path, "npz"), f"npz:{path}"
    there = stored.arrays(file, what)
    train, test, used = _splits(what, there)
    if train.array.shape[1:3] != test.array.shape[1:3] or _depth(train.array) != _depth(test.array):
        raise UserError(f"{what}: train images are {_shape(train.array)}, test images {_shape(test.array)}")
    if (train.label is None) != (test.label is None):
        raise UserError(f"{what}: only one of train and test has labels; give both or neither")
    notes, names, classes = [], None, None
    if train.label is not None and test.label is not None:
        (label, test_label), names = labels.numbered(train.label, test.label)
        classes = 1 + int(max(label.max(), test_label.max()))
        train, test = train._replace(label=label), test._replace(label=test_label)
        notes += [*labels.note(names), *labels.absent(label, classes, names, "train")]
        notes += labels.absent(test_label, classes, names, "test")
    notes += ["a tenth held out"] if train.rows is not None else []
    notes += [f"transparency on {how.background}"] if _depth(train.array) in (2, 4) else []
    notes += _unused(there, used, classes is not None)
    if train.array.dtype == np.bool_:
        how = how._replace(levels=2)
    with stored.sound(what):
        data = _read(visible(file.name), what, train, test, classes, how)
    images.check_levels(data.name, images.brightest(data.train, data.test), how)
    return source.described(data, names, tuple(notes))


def _read(file: str, what: str, train: _Part, test: _Part, classes: int | None, how: How) -> source.Source:
    height, width = train.array.shape[1:3]
    depth = how.channels or (1 if _depth(train.array) <= 2 else 3)
    shape = (how.size or height, how.size or width, depth)
    size = (train.size + test.size) * int(np.prod(shape))
    if size > source.IN_MEMORY_BYTES and train.array.offset is not None and test.array.offset is not None:
        maps = {array: stored.mapped(array) for array in (train.array, test.array)}  # one, if they are one array
        for array in maps:  # the checksum of the zip, which a map does not look at
            for _ in stored.blocks(array) if array.member else ():
                pass
        kept, held_out = (_lazy(part, maps[part.array], how, shape) for part in (train, test))
        counts = source.count(train.label, classes)
        print_of = source.fingerprint(kept, held_out)
        return source.Source(f"npz:{file}", shape, classes, print_of, kept, held_out, counts=counts)
    free = memory.available()
    if free is not None and size > free:
        raise UserError(
            f"{what}: its images take {in_bytes(size)} of memory, and {in_bytes(free)} are free; save "
            "them uncompressed (np.savez, or np.save), and they stay in the file, or give a smaller --image-size"
        )
    if train.array is test.array:
        filled = _fill((train, test), how, shape)
    else:
        filled = [*_fill((train,), how, shape), *_fill((test,), how, shape)]
    return source.from_arrays(f"npz:{file}", filled[0], filled[1], classes)


def _fill(parts: tuple[_Part, ...], how: How, shape: tuple[int, int, int]) -> list[source.Arrays]:
    """Parts of one array, read in one go, each into its place."""
    places = [np.empty((part.size, *shape), np.uint8) for part in parts]
    done, start = [0] * len(parts), 0
    for block in _converted(stored.blocks(parts[0].array), how, shape[-1]):
        for number, part in enumerate(parts):
            if part.rows is None:
                chosen = block
            else:
                first, last = np.searchsorted(part.rows, (start, start + len(block)))
                chosen = block[part.rows[first:last] - start]
            places[number][done[number] : done[number] + len(chosen)] = chosen
            done[number] += len(chosen)
        start += len(block)
    return [
        {"x": place} if part.label is None else {"x": place, "label": part.label}
        for place, part in zip(places, parts, strict=True)
    ]


def _lazy(part: _Part, found: np.ndarray, how: How, shape: tuple[int, int, int]) -> source.Split:
    def read(indices: np.ndarray) -> dict[str, np.ndarray]:
        rows = indices if part.rows is None else part.rows[indices]
        pixels = next(_converted(iter([np.asarray(found[rows])]), how, shape[-1]))
        return {"x": pixels} if part.label is None else {"x": pixels, "label": part.label[indices]}

    return source.lazy(part.size, read, shape, part.label is not None)


def _converted(blocks: Iterator[np.ndarray], how: How, channels: int) -> Iterator[np.ndarray]:
    """Rows of an array as images [n, H, W, channels] as they were asked for."""
    for block in blocks:
        pixels = block.view(np.uint8) if block.dtype == np.bool_ else block
        yield images.conform_all(pixels if pixels.ndim == 4 else pixels[..., None], how, channels)


# ---- which arrays ----------------------------------------------------------------------------------------------------
def _splits(what: str, there: Mapping[str, Stored]) -> tuple[_Part, _Part, set[str]]:
    """(train, test, names of the arrays that they are made of)."""
    for names in PAIRS:
        train, train_label, test, test_label = names
        if train in there and test in there:
            parts = [
                _Part(_images(what, there[image]), None, _labels(what, there, image, label))
                for image, label in ((train, train_label), (test, test_label))
            ]
            return parts[0], parts[1], set(names)
    images_, labels_ = next((names for names in SINGLE if names[0] in there), SINGLE[0])
    if images_ not in there:
        raise UserError(
            f"{what} must hold train_images and test_images, or x_train and x_test, or images; "
            f"it holds {', '.join(there) or 'nothing'}"
        )
    everything = _images(what, there[images_])
    if everything.shape[0] < 2:
        raise UserError(f"{what}: {images_} holds one image; at least 2 are needed, one of them to test")
    label = _labels(what, there, images_, labels_)
    parts = [
        _Part(everything, rows, None if label is None else label[rows]) for rows in source.holdout(everything.shape[0])
    ]
    return parts[0], parts[1], {images_, labels_}


def _images(what: str, array: Stored) -> Stored:
    """The array, if it can be images. Raises UserError."""
    name, shape = array.name, array.shape
    if array.dtype not in (np.uint8, np.bool_):
        raise UserError(
            f"{what}: {name} is {array.dtype}; uint8 pixels of 0..255 are needed"
            + ("; of floats in [0, 1] store (255 * x).round().astype(np.uint8)" if array.dtype.kind == "f" else "")
        )
    if len(shape) not in (3, 4) or 0 in shape:
        raise UserError(f"{what}: {name} has shape {shape}; [N, H, W] or [N, H, W, C] is needed, none of them 0")
    if _depth(array) not in (1, 2, 3, 4):
        hint = "; channels seem to stand first: store images.transpose(0, 2, 3, 1)" if shape[1] in (1, 3, 4) else ""
        raise UserError(
            f"{what}: {name} has {shape[-1]} channels {shape}; 1 or 3 are needed, last, or 2 or 4 with alpha{hint}"
        )
    return array


def _labels(what: str, there: Mapping[str, Stored], images_: str, name: str) -> np.ndarray | None:
    """The labels of `images_` as they are in the file, one an image; None where there are none. Raises UserError."""
    if name not in there:
        return None
    array, count = there[name], there[images_].shape[0]
    shape = array.shape[:1] if array.shape[1:] == (1,) else array.shape
    if shape != (count,) or array.dtype.kind not in "biuU":
        hint = f"; of rows with a single 1, store {name}.argmax(1)" if len(shape) == 2 and shape[0] == count else ""
        raise UserError(
            f"{what}: {name} is {array.dtype} {array.shape}; {count} integers are needed, one an image, or words{hint}"
        )
    with stored.sound(what):
        found = stored.whole(array).reshape(-1)
    if found.dtype.kind == "i" and found.min() < 0:
        raise UserError(
            f"{what}: {name} runs from {found.min()} to {found.max()}; classes count from 0: store them so, or "
            "leave out what has none"
        )
    return found


def _unused(there: Mapping[str, Stored], used: set[str], labelled: bool) -> list[str]:
    extra = [name for name in there if name not in used]
    if not extra:
        return []
    wanted = [name for name in used if name.endswith("labels") or name.startswith("y_") or name == "arr_1"]
    hint = "" if labelled else f" (labels would be called {' and '.join(sorted(wanted, reverse=True))})"
    return [f"arrays not used: {short(extra, 6)}{hint}"]


def _depth(array: Stored) -> int:
    return array.shape[3] if len(array.shape) == 4 else 1


def _shape(array: Stored) -> tuple[int, ...]:
    return (*array.shape[1:3], _depth(array))
