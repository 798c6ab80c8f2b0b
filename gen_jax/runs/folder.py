"""A run folder: what is in it, and whether an experiment may start or continue there."""

import contextlib
import dataclasses
import fcntl
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gen_jax.core import domains
from gen_jax.core.errors import UserError
from gen_jax.core.lines import one_line, say
from gen_jax.runs import executing, identity, local_code, paths, scripts, shapes, trust
from gen_jax.runs.config import Config
from gen_jax.runs.files import atomic_write_bytes, atomic_write_json, read_bytes, writing
from gen_jax.runs.local_code import SCRIPT, Code
from gen_jax.runs.settings import differences, from_json, to_json

# May differ when a run is continued: where and how it executes, how far it goes, and what is followed on the way.
EXECUTION = (
    "data_dir", "run_dir", "backend", "devices", "steps_per_call", "resident_gib", "steps",
    "log", "track", "track_features", "track_samples", "allow_changed",
    "distributed", "coordinator", "processes", "process", "shard_state",
)  # fmt: skip
# And how often it is looked at and kept, which never changes results, either.
RHYTHM = ("log_every", "sample_every", "evaluate_every", "checkpoint_every")

TEMPORARY_CHECKPOINT = re.compile(r"orbax-checkpoint-tmp")
OWN = ("config.json", "manifest.json", "metrics.jsonl", "checkpoints", "samples", "pictures", "tensorboard", "code")

FORMAT = 2  # of run folders; 1 (without a number) was that of release 0.1.0, whose scripts speak another contract
READERS = {1: "gen_jax 0.1.0"}  # releases that rebuild the models of older formats


class Run(NamedTuple):
    """A run folder opened for reading: what the verbs need to rebuild the model."""

    path: Path
    config: Config
    build: Callable[..., Any]


def default_run_dir(script: Path, config: Config) -> Path:
    """runs/EXPERIMENT-DATA-CHANGES-seedN (see `paths.run_name`): other settings are another folder."""
    return Path("runs") / paths.run_name(script.stem, config, (*EXECUTION, *RHYTHM))


def check(run_dir: Path, config: Config, script: Path) -> bool:
    """True where the folder holds a run to continue, False where a new one may start. Touches nothing.

    Raises UserError where the folder holds a run of another configuration, is no run folder, or is one under whose path
    checkpoints cannot be kept. Whether data and code are the run's is asked once they are read (`runs.identity`).
    """
    paths.refuse_patterns(run_dir)
    if run_dir.exists() and not run_dir.is_dir():
        raise UserError(f"{run_dir} is a file; give --run-dir a folder")
    if not run_dir.exists() or not any(run_dir.iterdir()):
        return False
    trust.refuse_links(run_dir, OWN)
    if is_shell(run_dir, script):
        return False
    if not (run_dir / "config.json").exists() and not _recorded(run_dir):
        raise UserError(f"{run_dir} has files but no config.json, so it is no run folder; give another --run-dir")
    _refuse_other_formats(run_dir)
    # The data may have moved: they are compared by what they are, where that is known.
    ignored = (*EXECUTION, *RHYTHM, *(["data"] if record(run_dir) else []))
    if getattr(config, "private", False) and getattr(config, "noise", None) is None:
        ignored = tuple(name for name in ignored if name != "steps")  # the noise was solved for so many
    # A setting that came later is, of a run that is older than it, at its default.
    later = {field.name: to_json(field.default) for field in dataclasses.fields(Config) if field.name != "data"}
    found = differences({**later, **read_config(run_dir)}, to_json(config), ignored)
    if found:
        raise UserError(f"{run_dir} is a run of another configuration: {'; '.join(found)}; give another --run-dir")
    return True


def is_shell(run_dir: Path, script: Path) -> bool:
    """Whether the folder is what a process left that ended before its first step was kept or logged: nothing is lost
    where a run begins anew in it, with whatever settings."""
    checkpoints, metrics = run_dir / "checkpoints", run_dir / "metrics.jsonl"
    begun = checkpoints.is_dir() and any(not TEMPORARY_CHECKPOINT.search(path.name) for path in checkpoints.iterdir())
    if begun or (metrics.exists() and metrics.stat().st_size):
        return False
    if (run_dir / "config.json").exists():
        return _read(run_dir).get("format") == FORMAT
    copy = run_dir / SCRIPT
    if copy.exists() and (not copy.is_file() or copy.read_bytes() != script.read_bytes()):
        return False
    names = {path.name for path in run_dir.iterdir() if not _is_temporary(path)}
    return names <= {"checkpoints", SCRIPT}


@contextlib.contextmanager
def begin(
    run_dir: Path, config: Config, script: Path, code: Code, continues: bool, patience: float = 0.0
) -> Iterator[None]:
    """The folder, claimed for the length of a block, with what makes it a run folder in it from the first moment on.

    A new run's settings come first, for they say what the folder is; then the code. Of a run that continues, what is
    missing is written again. Raises UserError where another process trains there, or has begun to since `check`.
    """
    with writing(run_dir):
        run_dir.mkdir(parents=True, exist_ok=True)
    with claim(run_dir, patience):
        if check(run_dir, config, script) != continues:
            raise UserError(f"another process has just trained in {run_dir}; give the command again")
        clear_temporary(run_dir)
        if not continues:
            write_config(run_dir, config)
            local_code.write(run_dir, code)
        else:
            if not (run_dir / "config.json").exists():
                say(f"{run_dir / 'config.json'} was gone and is written again, from manifest.json")
                atomic_write_json(run_dir / "config.json", _read(run_dir))
            gone = {key: file for key, file in code.items() if not (run_dir / key).exists()}
            for key in gone:
                say(f"{run_dir / key} was gone and is written again")
            local_code.write(run_dir, gone)
        yield


def go_on(run_dir: Path, config: Config, code: Code, step: int) -> None:
    """Settings and code as they are from this step on. Code that is replaced, which was allowed, is kept."""
    write_config(run_dir, config)
    _keep_superseded(run_dir, code, step)
    local_code.replace(run_dir, code)


def _keep_superseded(run_dir: Path, code: Code, step: int) -> None:
    """Where the code is about to change at a step, put what it was into superseded/STEP."""
    for key, path in local_code.kept(run_dir).items():
        if key not in code or path.read_bytes() != code[key].content:
            atomic_write_bytes(run_dir / "superseded" / str(step) / key, path.read_bytes())


def kept_steps(run_dir: Path) -> list[int]:
    """The steps of the checkpoints in a run folder, by their names alone."""
    names = [path.name for path in (run_dir / "checkpoints").glob("*")]
    return sorted(int(name) for name in names if name.isdecimal())


def clear_temporary(run_dir: Path) -> None:
    """Remove what killed processes left half-written. Those of training itself can only be that, for one process trains
    at a time; those of verbs are given a minute, for a verb may be writing now."""
    code, samples, pictures = run_dir / local_code.FOLDER, run_dir / "samples", run_dir / "pictures"
    own = [*code.rglob(".*.tmp"), *samples.glob(".*.tmp")]
    for path in [*own, *run_dir.glob(".*.tmp"), *pictures.glob(".*.tmp")]:
        mine = path in own or path.name.startswith(tuple(f".{name}." for name in (*OWN, SCRIPT)))
        if path.is_file() and (mine or time.time() - path.stat().st_mtime > 60):
            path.unlink(missing_ok=True)


def _is_temporary(path: Path) -> bool:
    return path.name.startswith(".") and path.name.endswith(".tmp") and path.is_file()


def write_config(run_dir: Path, config: Config) -> None:
    """config.json: the settings, and the format of the folder."""
    atomic_write_json(run_dir / "config.json", {"format": FORMAT, **to_json(config)})


def read_config(run_dir: Path) -> dict[str, Any]:
    """The settings in a run folder, of any format. Raises UserError where they are missing or damaged."""
    return {name: value for name, value in _read(run_dir).items() if name != "format"}


def _read(run_dir: Path) -> dict[str, Any]:
    path = run_dir / "config.json"
    need_folder(run_dir)
    if not path.exists():
        if settings := _recorded(run_dir):
            return {"format": FORMAT, **settings}
        raise UserError(
            f"{run_dir} is no run folder: it has no config.json; give the folder of a run, which its first lines name"
        )
    try:
        return shapes.read(path, shapes.CONFIG)
    except UserError as error:
        if isinstance(error.__cause__, OSError):
            raise
        why = str(error).removeprefix(f"{path} is ").removeprefix("damaged: ")
        why = why.rpartition("; ")[0] or why  # without its own advice
        raise UserError(f"{path} is damaged ({why}); restore it, or start a run in another folder") from None


def need_folder(run_dir: Path) -> None:
    """Raises UserError for a file where the folder of a run is meant."""
    if run_dir.is_file():
        raise UserError(f"{run_dir} is a file; give a run folder")


def record(run_dir: Path) -> dict[str, Any] | None:
    """manifest.json, which `runs.manifest` writes; None where there is none. Raises UserError for a damaged one."""
    need_folder(run_dir)
    found = shapes.read(run_dir / "manifest.json", shapes.MANIFEST)
    if found is not None and not found["sittings"]:
        raise UserError(f"{run_dir / 'manifest.json'} is damaged: sittings is empty; restore or delete it")
    return found


def _recorded(run_dir: Path) -> dict[str, Any]:
    """The settings that the manifest keeps, for a folder whose config.json is gone; empty where it keeps none."""
    return identity.last(record(run_dir), run_dir).get("settings", {})


def _refuse_other_formats(run_dir: Path) -> None:
    """Logs, pictures and settings of an older run are read as ever; its model was written for another contract."""
    found = _read(run_dir).get("format", 1)
    if found != FORMAT:
        reader = READERS.get(found, "a later release of gen_jax") if isinstance(found, int) else "no release of gen_jax"
        raise UserError(
            f"{run_dir} is a run of format {found}, whose model {reader} rebuilds and this release does not; "
            f"`info`, `report`, `diagnose` and `compare` read it here, too"
        )


def lock(run_dir: Path, patience: float = 0.0) -> int:
    """Claim the folder for this process, until it ends. Raises UserError where another process trains there, and does
    not end within `patience` seconds."""
    descriptor = os.open(run_dir, os.O_RDONLY)
    until = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except OSError:
            if time.monotonic() >= until:
                os.close(descriptor)
                raise UserError(
                    f"another process is training in {run_dir}; wait for it or give another --run-dir"
                ) from None
        time.sleep(0.1)


@contextlib.contextmanager
def claim(run_dir: Path, patience: float = 0.0) -> Iterator[None]:
    """`lock` for the length of a block."""
    descriptor = lock(run_dir, patience)
    try:
        yield
    finally:
        os.close(descriptor)


def open_run(run_dir: Path, trusted: bool = False, allowed: Sequence[str] = ()) -> Run:
    """The run in a folder: its configuration and its own copy of the script. Raises UserError where it is none; where
    the settings or the code are not those that it was trained with (`allowed`: "code" where they may differ); and where
    the code is a stranger's (see `runs.trust`), unless `trusted`.
    """
    settings = read_config(run_dir)
    _refuse_other_formats(run_dir)
    script = run_dir / SCRIPT
    if not script.exists():
        raise UserError(
            f"{run_dir} has no {SCRIPT}, so its model cannot be rebuilt; the command that trained it writes it again"
        )
    recorded = refuse_edited(run_dir)
    kept = local_code.kept(run_dir)
    code = {key: local_code.File(path, read_bytes(path, trust.CODE)) for key, path in kept.items()}
    changed = identity.changes(recorded, {"code": local_code.hashes(code)})
    identity.settle(changed, allowed, run_dir, {"code": "restore what was changed there"})
    contents = trust.require(run_dir, kept.values(), trusted)
    code = {key: local_code.File(path, content) for (key, path), content in zip(kept.items(), contents, strict=True)}
    executing.importable(code)
    module = scripts.load(script, code)
    return Run(run_dir, restored(module.Config, settings, run_dir / "config.json"), module.build)


def refuse_edited(run_dir: Path) -> dict[str, Any]:
    """What the run is of, as its manifest keeps it (`identity.last`). Raises UserError where its settings are others
    than those that it was trained with."""
    recorded = identity.last(record(run_dir), run_dir)
    settings = read_config(run_dir)
    if found := differences(recorded.get("settings", settings), settings, (*EXECUTION, *RHYTHM, "data")):
        raise UserError(
            f"{run_dir / 'config.json'} is not as it was when the run was trained: {'; '.join(found)}; delete it, for "
            "manifest.json has the settings, too"
        )
    return recorded


def restored(kind: Any, settings: Mapping[str, Any], path: Path) -> Any:
    """The settings of type `kind` that a file keeps. Raises UserError, naming the file, where they do not fit it: of
    another make, or outside their domains.
    """
    try:
        config = from_json(kind, settings)
        domains.check(config, prefix="")
    except UserError as error:
        raise UserError(f"{path} does not fit the script beside it: {error}") from error
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise UserError(f"{path} does not fit `Config` of the script beside it ({one_line(error)})") from error
    return config
