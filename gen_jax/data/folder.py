"""`folder:PATH`: pictures in a folder, classes by sub-folder, or no classes when the folder is flat.

Splits: the sub-folders train/ and test/ where both exist; otherwise by a hash of each file's path inside the folder, so
that a file keeps its side whatever is added or removed: those in the lowest tenth of hashes are the test split.
Small folders are decoded at once (and the fingerprint covers every pixel); large ones are read as needed (and the
fingerprint covers names and sizes of the files).
"""

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.data import images, source

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm"}
Item = tuple[Path, int]  # a file and its class, -1 where there are none


def folder(path: str, image_size: int | None = None, channels: int | None = None) -> source.Source:
    """Pictures under `path`, centre-cropped and resized to `image_size`; grey (1) if all are grey, or else colour (3).

    Raises UserError for a missing or empty folder, a damaged picture, or sizes that differ without `image_size`.
    """
    root = Path(path).expanduser()
    if not root.is_dir():
        raise UserError(f"folder:{path}: there is no such folder")
    train, test, classes = _splits(root)
    shape = _shape(root, [file for file, _ in train + test], image_size, channels)
    name, labels = f"folder:{root.name}", classes is not None
    kept, held_out = (_split(items, image_size, shape, labels) for items in (train, test))
    if kept.nbytes + held_out.nbytes <= source.IN_MEMORY_BYTES:
        return source.from_arrays(name, source.whole(kept), source.whole(held_out), classes)
    listing = [(str(file.relative_to(root)), file.stat().st_size, label) for file, label in train + test]
    fingerprint = source.digest("folder", len(train), shape, image_size, *listing)
    return source.Source(name, shape, classes, fingerprint, kept, held_out)


def _splits(root: Path) -> tuple[list[Item], list[Item], int | None]:
    """(train, test, number of classes)."""
    if (root / "train").is_dir() and (root / "test").is_dir():
        names = _class_names(root / "train")
        strange = sorted(set(_class_names(root / "test")) ^ set(names))
        if strange:
            raise UserError(f"folder:{root}: train/ and test/ have different sub-folders; {strange[0]} is in only one")
        train, test = _items(root / "train", names), _items(root / "test", names)
    else:
        names = _class_names(root)
        items = _items(root, names)
        if len(items) == 1:
            raise UserError(f"folder:{root} holds one image; at least 2 are needed, one of them to test")
        items.sort(key=lambda item: _hash(item[0].relative_to(root)))
        count = sum(_hash(file.relative_to(root)) < 2**256 // 10 for file, _ in items)
        count = min(max(count, 1), len(items) - 1)  # tiny folders still get one of each
        train, test = sorted(items[count:]), sorted(items[:count])
    return train, test, len(names) or None


def _hash(relative: Path) -> int:
    return int.from_bytes(hashlib.sha256(relative.as_posix().encode()).digest(), "big")


def _pictures(root: Path, pattern: str) -> list[Path]:
    return sorted(p for p in root.glob(pattern) if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))


def _class_names(root: Path) -> list[str]:
    """Sub-folders that hold pictures, at any depth, in alphabetical order."""
    return sorted(child.name for child in root.iterdir() if child.is_dir() and _pictures(child, "**/*"))


def _items(root: Path, names: Sequence[str]) -> list[Item]:
    flat = _pictures(root, "*")
    if flat and names:
        raise UserError(f"folder:{root} has images both in itself ({flat[0].name}) and in sub-folders ({names[0]}/)")
    items = [(file, label) for label, name in enumerate(names) for file in _pictures(root / name, "**/*")]
    items = items or [(file, -1) for file in flat]
    if not items:
        raise UserError(f"folder:{root} holds no images ({', '.join(sorted(s[1:] for s in SUFFIXES))})")
    return items


def _shape(root: Path, files: Sequence[Path], image_size: int | None, channels: int | None) -> tuple[int, int, int]:
    """(H, W, C) of what will be read, from the headers of the files unless everything was given."""
    if image_size is not None and channels is not None:
        return image_size, image_size, channels
    headers = _parallel(_header, files)
    sizes = {size for size, _ in headers}
    if image_size is None and len(sizes) > 1:
        (w, h), (w2, h2) = sorted(sizes)[:2]
        raise UserError(
            f"folder:{root} has images of several sizes ({w}x{h}, {w2}x{h2}, …); choose one with --image-size"
        )
    width, height = (image_size, image_size) if image_size else sizes.pop()
    grey = all(mode in ("1", "L", "LA") for _, mode in headers)
    return height, width, channels or (1 if grey else 3)


def _header(file: Path) -> tuple[tuple[int, int], str]:
    from PIL import Image

    try:
        with Image.open(file) as image:
            return image.size, image.mode
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _damaged(file, error) from None


def _split(items: Sequence[Item], image_size: int | None, shape: tuple[int, int, int], labels: bool) -> source.Split:
    files = [file for file, _ in items]
    classes = np.array([label for _, label in items], np.int32)

    def read(indices: np.ndarray) -> dict[str, np.ndarray]:
        chosen = [files[i] for i in indices]
        decoded = np.empty((len(chosen), *shape), np.uint8)
        # Through chunks, so that a large folder never waits as a list of arrays beside its copy.
        for start in range(0, len(chosen), 1024):
            pictures = _parallel(lambda file: _decode(file, image_size, shape), chosen[start : start + 1024])
            decoded[start : start + len(pictures)] = pictures
        return {"x": decoded, "label": classes[indices]} if labels else {"x": decoded}

    return source.lazy(len(files), read, shape, labels)


def _decode(file: Path, image_size: int | None, shape: tuple[int, int, int]) -> np.ndarray:
    from PIL import Image

    try:
        return images.decode(str(file), image_size, shape[-1])
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _damaged(file, error) from None
    except UserError as error:
        raise UserError(f"{file}: {error}") from None


def _damaged(file: Path, error: Exception) -> UserError:
    reason = " ".join(str(error).replace(f"'{file}'", "it").split())
    return UserError(f"{file} cannot be read as an image ({reason}); remove or replace it")


def _parallel(function, files: Sequence[Path]) -> list:
    """In threads (Pillow decodes without the interpreter lock) when there is enough to do."""
    if len(files) < 64:
        return [function(file) for file in files]
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(function, files))
