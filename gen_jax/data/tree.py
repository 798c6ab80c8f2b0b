"""Walking a folder of pictures: what is a picture, what is a class, and what other programs left there.

Links are followed, each real folder once a walk and never back up. Hidden folders and those of file managers, servers
and notebooks are no part of the data: they are counted, so that what was left out can be said.
"""

import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from gen_jax.core.errors import UserError
from gen_jax.data.reading import counted, short

SUFFIXES = {
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm", ".pnm",
}  # fmt: skip
# What notebooks, Synology and QNAP servers, macOS, Windows, Linux and Python leave beside pictures; in lower case.
LEFT_BEHIND = {
    "@eadir", "@recycle", "@recently-snapshot", "@tmp", "#recycle", "#snapshot", "lost+found", "__macosx",
    "$recycle.bin", "system volume information", "__pycache__", "cache", "caches", "thumbnails",
}  # fmt: skip
MOST_COUNTED = 10_000  # pictures that are counted in a folder that is left out


@dataclass
class Skipped:
    """What a walk left out: folders with the pictures in them, links that lead back up, and other files by suffix."""

    folders: Counter[str] = field(default_factory=Counter)
    links: list[str] = field(default_factory=list)
    files: Counter[str] = field(default_factory=Counter)

    def note(self) -> str | None:
        """In words, or None where nothing was left out."""
        parts = []
        if self.folders:
            parts.append(short([f"{name}/ ({counted(n, 'image')})" for name, n in sorted(self.folders.items())]))
        if self.links:
            parts.append(f"links to folders above or read already ({short(self.links)})")
        if self.files:
            total, suffixes = sum(self.files.values()), sorted(self.files)
            parts.append(f"{counted(total, 'file')} of other kinds ({short(suffixes)})")
        return f"left out: {', '.join(parts)}" if parts else None


@dataclass(frozen=True)
class Folder:
    """A folder with pictures: those in itself, and those of each sub-folder that has any."""

    path: Path
    flat: list[Path]
    below: dict[str, list[Path]]

    @property
    def files(self) -> list[Path]:
        """All of them, in order."""
        return sorted([*self.flat, *(file for files in self.below.values() for file in files)])


def look(path: Path, above: tuple[Path, ...], skipped: Skipped) -> Folder:
    """The pictures in and below a folder, in order; `above`: the folders that it lies in, to which no link leads back.

    Raises UserError where a folder cannot be read, and for a broken link, and for a pipe with a picture's name.
    """
    flat, children = _listed(path, skipped)
    above = (*above, path)
    below = {child.name: files for child in children if (files := _walk(child, above, skipped))}
    return Folder(path, flat, below)


def children(root: Path, skipped: Skipped) -> tuple[list[Path], list[Folder]]:
    """(pictures in `root` itself, its sub-folders that hold pictures), as by `look`."""
    flat, folders = _listed(root, skipped)
    found = [look(folder, (root,), skipped) for folder in folders if not _leads_back(folder, (root,), skipped)]
    return flat, [folder for folder in found if folder.flat or folder.below]


def in_order(names: Iterable[str]) -> list[str]:
    """Names of classes: by value where all are whole numbers (2 before 10), else alphabetically."""
    names = sorted(names)
    if all(re.fullmatch(r"[0-9]+", name) for name in names):
        return sorted(names, key=int)
    return names


def _walk(root: Path, above: tuple[Path, ...], skipped: Skipped) -> list[Path]:
    """All pictures in and below `root`, each real folder once."""
    seen = {os.path.realpath(folder) for folder in above}
    found, waiting = [], [root]
    while waiting:
        folder = waiting.pop()
        real = os.path.realpath(folder)
        if real in seen:
            skipped.links.append(folder.name)
            continue
        seen.add(real)
        flat, inner = _listed(folder, skipped)
        found += flat
        waiting += inner
    return sorted(found)


def _leads_back(folder: Path, above: tuple[Path, ...], skipped: Skipped) -> bool:
    if os.path.realpath(folder) not in {os.path.realpath(path) for path in above}:
        return False
    skipped.links.append(folder.name)
    return True


def _listed(root: Path, skipped: Skipped) -> tuple[list[Path], list[Path]]:
    """(pictures, folders) in a folder, in order."""
    try:
        with os.scandir(root) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise UserError(f"folder {root} cannot be read ({error.strerror})") from None
    pictures, folders = [], []
    for entry in listed:
        path, suffix = root / entry.name, os.path.splitext(entry.name)[1].lower()
        if entry.is_dir():
            if is_left_behind(path):
                _leave_out(path, skipped)
            else:
                folders.append(path)
        elif entry.name.startswith("."):
            continue
        elif entry.is_symlink() and not path.exists():  # of a file, or of a whole class on a disk that is not there
            raise UserError(f"{path} is a link to nothing; mend it or remove it")
        elif suffix not in SUFFIXES:
            skipped.files[suffix or "no suffix"] += 1
        elif entry.is_file():
            pictures.append(path)
        else:
            raise UserError(f"{path} is a pipe or a device, though its name is that of a picture; remove it")
    return pictures, folders


def is_left_behind(folder: Path) -> bool:
    """Whether a folder is hidden, a cache (by name or by its CACHEDIR.TAG), or of a program that manages files."""
    return folder.name.startswith(".") or folder.name.lower() in LEFT_BEHIND or (folder / "CACHEDIR.TAG").is_file()


def _leave_out(folder: Path, skipped: Skipped) -> None:
    count = 0
    for _, _, names in os.walk(folder):
        count += sum(os.path.splitext(name)[1].lower() in SUFFIXES for name in names)
        if count > MOST_COUNTED:
            break
    if count:
        skipped.folders[folder.name] += count
