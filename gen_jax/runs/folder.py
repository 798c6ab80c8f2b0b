"""A run folder: what is in it, and whether an experiment may start or continue there."""

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from gen_jax.core.errors import UserError
from gen_jax.core.lines import one_line
from gen_jax.runs import scripts, shapes, trust
from gen_jax.runs.config import Config
from gen_jax.runs.files import atomic_write_json
from gen_jax.runs.settings import differences, from_json, to_json

# May differ when a run is continued: where and how it executes, how far it goes, and what is followed on the way.
EXECUTION = (
    "data_dir", "run_dir", "backend", "devices", "steps_per_call", "resident_gib", "steps",
    "track", "track_features", "track_samples",
)  # fmt: skip


OWN = ("config.json", "manifest.json", "metrics.jsonl", "checkpoints", "samples", "pictures", "tensorboard")

FORMAT = 2  # of run folders; 1 (without a number) was that of release 0.1.0, whose scripts speak another contract
READERS = {1: "gen_jax 0.1.0"}  # releases that rebuild the models of older formats


class Run(NamedTuple):
    """A run folder opened for reading: what the verbs need to rebuild the model."""

    path: Path
    config: Config
    build: Callable[..., Any]


def default_run_dir(script: Path, config: Config) -> Path:
    """runs/EXPERIMENT-DATA-seedN, with the data's specification made fit for a file name."""
    data = "".join(c if c.isalnum() or c in "-_." else "-" for c in Path(config.data).name or config.data)
    return Path("runs") / f"{script.stem}-{data}-seed{config.seed}"


def check(run_dir: Path, config: Config, script: Path) -> bool:
    """True where the folder holds a run to continue, False where a new one may start. Touches nothing.

    Raises UserError where the folder holds a run of another configuration or another script, or is no run folder.
    """
    if run_dir.exists() and not run_dir.is_dir():
        raise UserError(f"{run_dir} is a file; give --run-dir a folder")
    if not run_dir.exists() or not any(run_dir.iterdir()):
        return False
    if not (run_dir / "config.json").exists():
        raise UserError(f"{run_dir} has files but no config.json, so it is no run folder; give another --run-dir")
    trust.refuse_links(run_dir, OWN)
    _refuse_other_formats(run_dir)
    found = differences(read_config(run_dir), to_json(config), EXECUTION)
    if found:
        raise UserError(f"{run_dir} is a run of another configuration: {'; '.join(found)}; give another --run-dir")
    copy = run_dir / "experiment.py"
    if copy.exists() and copy.read_bytes() != script.read_bytes():
        raise UserError(
            f"{run_dir} was made by another version of {script.name}; continue it with its own copy, "
            f"`python {copy} --run-dir {run_dir} …`, or give another --run-dir"
        )
    return True


def write_config(run_dir: Path, config: Config) -> None:
    """config.json: the settings, and the format of the folder."""
    atomic_write_json(run_dir / "config.json", {"format": FORMAT, **to_json(config)})


def read_config(run_dir: Path) -> dict[str, Any]:
    """The settings in a run folder, of any format. Raises UserError where they are missing or damaged."""
    return {name: value for name, value in _read(run_dir).items() if name != "format"}


def _read(run_dir: Path) -> dict[str, Any]:
    path = run_dir / "config.json"
    if not path.exists():
        raise UserError(f"{run_dir} is no run folder: it has no config.json; give the folder of a run (--run-dir)")
    try:
        return shapes.read(path, shapes.CONFIG)
    except UserError as error:
        if isinstance(error.__cause__, OSError):
            raise
        raise UserError(f"{path} is damaged ({error}); restore it, or start a run in another folder") from None


def _refuse_other_formats(run_dir: Path) -> None:
    """Logs, pictures and settings of an older run are read as ever; its model was written for another contract."""
    found = _read(run_dir).get("format", 1)
    if found != FORMAT:
        reader = READERS.get(found, "a later release of gen_jax") if isinstance(found, int) else "no release of gen_jax"
        raise UserError(
            f"{run_dir} is a run of format {found}, whose model {reader} rebuilds and this release does not; "
            f"`info`, `report`, `diagnose` and `compare` read it here, too"
        )


def lock(run_dir: Path) -> int:
    """Claim the folder for this process, until it ends. Raises UserError where another process trains there."""
    descriptor = os.open(run_dir, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise UserError(f"another process is training in {run_dir}; wait for it or give another --run-dir") from None
    return descriptor


@contextlib.contextmanager
def claim(run_dir: Path) -> Iterator[None]:
    """`lock` for the length of a block."""
    descriptor = lock(run_dir)
    try:
        yield
    finally:
        os.close(descriptor)


def open_run(run_dir: Path, trusted: bool = False) -> Run:
    """The run in a folder: its configuration and its own copy of the script. Raises UserError where it is none, and
    where the script is a stranger's (see `runs.trust`), unless `trusted`.
    """
    settings = read_config(run_dir)
    _refuse_other_formats(run_dir)
    script = run_dir / "experiment.py"
    if not script.exists():
        raise UserError(f"{run_dir} has no experiment.py, so its model cannot be rebuilt")
    (content,) = trust.require(run_dir, [script], trusted)
    module = scripts.load(script, content)
    try:
        return Run(run_dir, from_json(module.Config, settings), module.build)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise UserError(f"{run_dir / 'config.json'} does not fit `Config` of {script} ({one_line(error)})") from error
