"""Paths that a person gives as data, and what is said where they are of another kind, or named without one."""

import contextlib
from pathlib import Path

from gen_jax.core.errors import UserError
from gen_jax.core.lines import visible

SUFFIXES = {".npz": "npz", ".npy": "npz", ".csv": "table", ".tsv": "table", ".gz": "table", ".parquet": "table",
            ".pq": "table"}  # fmt: skip

FOLDERS = ("folder", "pairs", "wav")  # kinds that read whatever lies in a folder


def folder_at(path: str, kind: str) -> Path:
    """The folder that KIND:PATH names. UserError where it is a file, or nothing."""
    place = Path(path).expanduser()
    if place.is_dir():
        return place
    raise UserError(_not_that(place, f"{kind}:{path}", "folder"))


def file_at(path: str, kind: str) -> Path:
    """The file that KIND:PATH names. UserError where it is a folder, or nothing."""
    place = Path(path).expanduser()
    if place.is_file():
        return place
    raise UserError(_not_that(place, f"{kind}:{path}", "file"))


def files_of(spec: str) -> list[Path]:
    """The files and folders that a data set (as after --data) may be read from: whatever stands behind a kind, which
    may be of another, as few:10:table:PATH is; and a path may hold colons."""
    parts = spec.split(":")
    found = []
    for start in range(1, len(parts)):
        place = Path(":".join(parts[start:]))
        with contextlib.suppress(
            OSError, ValueError, RuntimeError
        ):  # no path: too long, or of a home that is not there
            place = place.expanduser()
            # A name behind another kind, as in tfds:mnist, is no folder that happens to be called so.
            if place.is_file() or (place.is_dir() and parts[start - 1] in FOLDERS):
                found.append(place)
    return found


def spec_of(path: str) -> str | None:
    """KIND:PATH of data that somebody named by their path alone, by what lies there; None where that tells nothing."""
    try:
        place = Path(path).expanduser()
        if place.is_dir():
            return f"{_kind_of(place)}:{path}"
        kind = SUFFIXES.get(place.suffix.lower())
        return f"{kind}:{path}" if kind and place.is_file() else None
    except (OSError, ValueError, RuntimeError):  # no path: too long, or of a home that is not there
        return None


def _kind_of(folder: Path) -> str:
    if all((folder / side).is_dir() for side in ("x", "y")):
        return "pairs"
    return "wav" if any(each.suffix.lower() == ".wav" for each in folder.iterdir()) else "folder"


def _not_that(place: Path, what: str, wanted: str) -> str:
    if not place.exists():
        return f"{what}: there is no such {wanted}"
    there = "folder" if place.is_dir() else "file"
    meant = spec_of(str(place))
    return f"{what}: {visible(place.name)} is a {there}; give {f'--data {meant}' if meant else f'a {wanted}'}"
