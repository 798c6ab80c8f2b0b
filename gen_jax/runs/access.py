"""What a person says to open a run that is not where, or not quite what, it was: for every verb that rebuilds one.

No JAX at import, so that `--help` answers at once.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal


@dataclass(frozen=True)
class Access:
    """Where the run's data are now, and which changes are wanted."""

    data: str | None = None
    """where the run's data are now, as folder:PATH, where they have moved; they must be the same"""
    data_dir: Path | None = None
    """where TFDS data sets are now"""
    allow_changed: tuple[Literal["data", "code"], ...] = ()
    """go on although the data, or the script and its modules, are not those that the run was trained with"""
    option: ClassVar[str] = "--data"  # by which `data` is said


@dataclass(frozen=True)
class AccessBeside(Access):
    """Of a verb whose `--data` are others."""

    option: ClassVar[str] = "--run-data"
