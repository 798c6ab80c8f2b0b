"""Where a command may write what it was asked for: checked before the work, and never over a file of a run."""

import contextlib
import os
import tempfile
from pathlib import Path

from gen_jax.core.errors import UserError

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


def not_over(out: Path, flag: str, *data: str | None) -> None:
    """Raises UserError where `out` is a file that one of these data sets (as after --data) is read from."""
    for spec in data:
        parts = (spec or "").split(":")  # a kind may be of another, as few:10:table:PATH is; and a path may hold colons
        for start in range(1, len(parts)):
            with contextlib.suppress(OSError, ValueError, RuntimeError):
                if os.path.samefile(Path(":".join(parts[start:])).expanduser(), out):
                    raise UserError(f"{flag} {out} is the file of the data {spec}; give another name")


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
