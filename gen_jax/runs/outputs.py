"""Where a command may write what it was asked for: checked before the work, and never over a file of a run."""

import contextlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gen_jax.core.errors import UserError
from gen_jax.data import places, table_plan

MARKS = ("config.json", "study.json")  # what makes a folder that of a run or a study
PICTURES = "pictures"


def file(out: Path, flag: str, suffix: str) -> Path:
    """The path that a flag gives for a file to write. Raises UserError where it does not end in `suffix`, is a folder,
    cannot be written, or would replace a file of a run; nothing is made yet.
    """
    if out.suffix.lower() != suffix:
        raise UserError(f"{flag} {out}: this is written as {suffix}; give a name that ends so")
    if out.is_dir():
        raise UserError(f"{flag} {out} is a folder; give the name of a file in it")
    place = out.parent.resolve() / out.name
    if (home := home_of(place.parent)) is not None:
        new = place.parent == home and not os.path.lexists(place)
        if not new and place.parent != home / PICTURES:
            raise UserError(
                f"{flag} {out} would be among the files of the run {home}; give a path outside of it, or in its "
                f"{PICTURES}/"
            )
    _refuse_unwritable(out, flag, place)
    return out


def own(path: Path) -> Path:
    """A file of a run's folder that a verb writes anew each time. Raises UserError where it is a folder, or cannot be
    written. That there is no such run is said by who opens it."""
    if not path.parent.is_dir():
        return path
    if path.is_dir():
        raise UserError(f"{path} is a folder, and a file is to be written there; give --out")
    _refuse_unwritable(path, "--out", path.parent.resolve() / path.name)
    return path


def not_over(outs: Mapping[str, Path | None], config: Any, *data: str | None, files: Sequence[Path] = ()) -> None:
    """Raises UserError where one of `outs` (flag -> the file or folder to write, if any) is read by a run of these
    settings, by one of the data sets `data` (as after --data), or is one of `files`; where a new picture or sound would
    lie among the run's; and for a folder that holds a file that is read.
    """
    specs = [spec for spec in (config.data, *data) if spec]
    read = [(place, f"of the data {spec}") for spec in dict.fromkeys(specs) for place in places.files_of(spec)]
    columns = getattr(config, "columns", None)
    read += [(place, f"of --columns {columns}") for place in table_plan.files_of(columns)]
    read += [(place, "that is read") for place in files]
    for flag, out in outs.items():
        for place, whose in read if out is not None else []:
            assert out is not None
            _refuse_over(out, flag, place, whose)


def _refuse_over(out: Path, flag: str, place: Path, whose: str) -> None:
    there, read = out.resolve(), place.resolve()
    if os.path.lexists(out) and os.path.samefile(out, place):
        raise UserError(f"{flag} {out} is the {'folder' if place.is_dir() else 'file'} {whose}; give another name")
    if place.is_dir() and read in there.parents:
        if out.suffix.lower() == ".png" or flag == "--to":  # would be read as data, with the WAV that stands beside one
            raise UserError(f"{flag} {out} would be in the folder {whose}; give a path outside of it")
    elif out.is_dir() and there == read.parent:
        raise UserError(f"{flag} {out} holds {place.name}, a file {whose}; give another folder")


def folder(out: Path, flag: str) -> Path:
    """The path that a flag gives for a folder to write into. Raises UserError for a file, and for the folder of a run
    or a study, whose own files have the same names.
    """
    if out.exists() and not out.is_dir():
        raise UserError(f"{flag} {out} is a file; give a folder")
    place = out.resolve()
    if (home := home_of(place)) is not None and (home == place or (home / MARKS[0]).exists()):
        raise UserError(f"{flag} {out} is, or is in, the folder of a run or study ({home}); give another folder")
    _refuse_unwritable(out, flag, place / "file")
    return out


def home_of(place: Path) -> Path | None:
    """The run or study folder that holds a folder, or is it; None where there is none above it."""
    for parent in (place, *place.parents):
        if any(os.path.lexists(parent / mark) for mark in MARKS):
            return parent
    return None


def _refuse_unwritable(out: Path, flag: str, place: Path) -> None:
    """Raises UserError where the folder of `place` is not there and cannot be made, or cannot be written into."""
    try:
        there = next(parent for parent in place.parents if os.path.lexists(parent))
        if not there.is_dir():
            raise UserError(f"{flag} {out}: {there} is no folder")
        # Permissions do not say it all (a read-only disk, a quota, a folder of the system's own): try it.
        os.rmdir(tempfile.mkdtemp(prefix=".", suffix=".tmp", dir=there))
        with contextlib.suppress(FileNotFoundError):
            os.stat(place)  # a name that is too long
    except OSError as error:
        raise UserError(f"{flag} {out}: it cannot be written there ({error.strerror})") from error
