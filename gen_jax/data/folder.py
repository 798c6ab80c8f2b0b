"""`folder:PATH`: pictures in a folder, by splits and classes as `layout` finds them in its sub-folders.

Small folders are decoded at once (and the fingerprint covers every pixel); large ones are read as needed (and the
fingerprint covers names and sizes of the files).
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.core.lines import visible
from gen_jax.data import images, layout, places, source
from gen_jax.data.images import How
from gen_jax.data.layout import Item


def folder(path: str, how: How = How()) -> source.Source:
    """Pictures under `path`, upright, on a background, cut and resized; grey (1) if all are grey, or else colour (3).

    Raises UserError for a missing or empty folder, a damaged picture, sizes that differ without `how.size`, and
    pictures that never come near white without `how.levels`.
    """
    root = places.folder_at(path, "folder")
    images.quiet()
    found = layout.of(root)
    shape = _shape(root, [file for file, _ in found.train + found.test], how)
    name, labelled = f"folder:{visible(root.name or root.resolve().name)}", found.names is not None
    train, test = (_split(items, how, shape, labelled) for items in (found.train, found.test))
    classes = None if found.names is None else len(found.names)
    if train.nbytes + test.nbytes <= source.IN_MEMORY_BYTES:
        data = source.from_arrays(
            name, source.whole(train), source.whole(test), classes, names=found.names, notes=found.notes
        )
    else:
        listing = [
            (str(file.relative_to(root)), file.stat().st_size, label) for file, label in found.train + found.test
        ]
        data = source.Source(
            name,
            shape,
            classes,
            source.digest("folder/2", len(found.train), shape, *how, *listing),
            train,
            test,
            names=found.names,
            counts=source.count(np.array([label for _, label in found.train]), classes),
            notes=found.notes,
        )
    images.check_levels(name, images.brightest(data.train, data.test), how)
    own = (tuple(str(file.relative_to(root)) for file, _ in items) for items in (found.train, found.test))
    train, test = (replace(split, files=files) for split, files in zip((data.train, data.test), own, strict=True))
    return replace(data, train=train, test=test)


def _shape(root: Path, files: Sequence[Path], how: How) -> tuple[int, int, int]:
    """(H, W, C) of what will be read, from the headers of the files unless everything was given."""
    if how.size is not None and how.channels is not None:
        return how.size, how.size, how.channels
    headers = _parallel(_header, files)
    sizes = {size for size, _ in headers}
    if how.size is None and len(sizes) > 1:
        (w, h), (w2, h2) = sorted(sizes)[:2]
        raise UserError(
            f"folder:{root} has images of several sizes ({w}x{h}, {w2}x{h2}, …); choose one with --image-size"
        )
    width, height = (how.size, how.size) if how.size else sizes.pop()
    return height, width, how.channels or (1 if all(grey for _, grey in headers) else 3)


def _header(file: Path) -> tuple[tuple[int, int], bool]:
    with named(file):
        return images.header(os.fspath(file))


def _split(items: Sequence[Item], how: How, shape: tuple[int, int, int], labels: bool) -> source.Split:
    files = [file for file, _ in items]
    classes = np.array([label for _, label in items], np.int32)

    def read(indices: np.ndarray) -> dict[str, np.ndarray]:
        chosen = [files[i] for i in indices]
        decoded = np.empty((len(chosen), *shape), np.uint8)
        # Through chunks, so that a large folder never waits as a list of arrays beside its copy.
        for start in range(0, len(chosen), 1024):
            pictures = _parallel(lambda file: _decode(file, how, shape), chosen[start : start + 1024])
            decoded[start : start + len(pictures)] = pictures
        return {"x": decoded, "label": classes[indices]} if labels else {"x": decoded}

    return source.lazy(len(files), read, shape, labels)


def _decode(file: Path, how: How, shape: tuple[int, int, int]) -> np.ndarray:
    with named(file):
        found = images.decode(os.fspath(file), how, shape[-1])
    if found.shape != shape:
        (h, w), (height, width) = found.shape[:2], shape[:2]
        raise UserError(f"{file} is {w}x{h} where others are {width}x{height}; choose one size with --image-size")
    return found


@contextmanager
def named(file: Path) -> Iterator[None]:
    """Errors of a picture as one line that names it."""
    from PIL import Image

    try:
        yield
    except UserError as error:
        raise UserError(f"{file}: {error}") from None
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError, MemoryError) as error:
        reason = " ".join(str(error).replace(f"'{file}'", "it").split()) or type(error).__name__
        raise UserError(f"{file} cannot be read as an image ({reason}); remove or replace it") from None


def _parallel(function: Callable[[Path], Any], files: Sequence[Path]) -> list[Any]:
    """In threads (Pillow decodes without the interpreter lock) when there is enough to do."""
    if len(files) < 64:
        return [function(file) for file in files]
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(function, files))
