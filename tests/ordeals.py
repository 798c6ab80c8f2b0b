"""What `torture.py` does to runs, and how it sees what became of them: jobs, outcomes, damage, disks."""

import contextlib
import hashlib
import io
import json
import os
import random
import runpy
import shutil
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from commands import Started

LONG = 1800  # seconds after which a command hangs
ROOT = Path(__file__).parents[1]
STEPS = 12
SMALL = ["--data", "digits", "--width", "8", "--batch-size", "16", "--log-every", "2", "--evaluate-every", "6",
         "--sample-every", "6", "--checkpoint-every", "3", "--steps-per-call", "3"]  # fmt: skip
EXPERIMENTS = ("gan", "dcgan", "wgan_gp", "cgan", "vae", "vq_vae", "factor_vae", "ladder_vae")
GRID = ["--grid", "loss=hinge,minimax", "--seeds", "2", "--depth", "1"]
MEASURES = ["--metrics", "held_out,fd", "--features", "pca:8", "--samples", "355", "--repeats", "2", "--json"]


class Job(NamedTuple):
    """`command(folder)` is what follows `python`; `prepared` is what the folder is a copy of before it is given."""

    name: str
    command: Callable[[Path], list[str]]
    prepared: str | None = None  # the name of a job


def experiment(name: str, steps: int = STEPS) -> Job:
    """Training of a script."""
    script = f"experiments/{name}.py"
    return Job(name, lambda folder: [script, "--run-dir", str(folder), *SMALL, "--steps", str(steps)])


def ablate(name: str, *more: str) -> Job:
    """A study of two arms and two seeds."""
    start = ["-m", "gen_jax", "ablate", "experiments/gan.py"]
    rest = [*GRID, *SMALL, "--steps", str(STEPS), *more]
    return Job(name, lambda folder: [*start, "--study-dir", str(folder), *rest])


JOBS = (
    *map(experiment, EXPERIMENTS),
    ablate("ablate"),
    ablate("local:2", "--launcher", "local:2"),
    Job("evaluate", lambda folder: ["-m", "gen_jax", "evaluate", str(folder), *MEASURES], "vae"),
)


class Ended(NamedTuple):
    """How a command ended. `status` is negative for a signal, as `subprocess` has it."""

    status: int
    text: str  # all that it printed

    @property
    def traced(self) -> bool:
        return "Traceback (most recent call last)" in self.text

    @property
    def explained(self) -> bool:
        return any(line.startswith(("error: ", "stopped: ", "interrupted")) for line in self.text.splitlines())


def environment(scratch: Path) -> dict[str, str]:
    """Ours, with caches of its own, on one CPU device."""
    return {
        **os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": "", "PYTHONPATH": str(ROOT),
        "XDG_CACHE_HOME": str(scratch / "cache"), "JAX_COMPILATION_CACHE_DIR": str(scratch / "cache" / "programs"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }  # fmt: skip


class Whole:
    """A command as a process of its own, imports and all, with what it prints in a file."""

    def __init__(self, command: list[str], log: Path, env: dict[str, str]) -> None:
        self._log = log
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                [sys.executable, *command], cwd=ROOT, env=env, stdout=file, stderr=subprocess.STDOUT
            )
        self.poll, self.send_signal = self._process.poll, self._process.send_signal

    def end(self) -> Ended:
        return Ended(self._process.wait(timeout=LONG), self._log.read_text(errors="replace"))


class Forked(Started):
    """A command in a process that has the imports behind it, which are half of a short one."""

    def __init__(self, command: list[str], log: Path, env: dict[str, str]) -> None:
        super().__init__(command, env)

    def end(self) -> Ended:
        done = self.wait(LONG)
        return Ended(done.returncode, done.stdout + done.stderr)


def here(command: list[str]) -> Ended:
    """The command in this process, which has its programs compiled already."""
    told, before, place = io.StringIO(), sys.argv, os.getcwd()
    status = 0
    os.chdir(ROOT)
    try:
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
            if command[0] == "-m":
                sys.argv = ["gen_jax", *command[2:]]
                runpy.run_module("gen_jax", run_name="__main__")
            else:
                sys.argv = command
                runpy.run_path(command[0], run_name="__main__")
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        status = 1
        told.write(traceback.format_exc())
    finally:
        sys.argv = before
        os.chdir(place)
    return Ended(status, told.getvalue())


# ---- what became of it -----------------------------------------------------------------------------------------------
def outcome(folder: Path) -> dict[str, Any]:
    """What a folder holds that an uninterrupted run would hold, too: the digest of each run's newest state (which is
    read whole), its metrics without the clock, its pictures; a study's table; measured values.
    """
    found: dict[str, Any] = {}
    for config in sorted(folder.rglob("config.json")):
        run = config.parent
        name = str(run.relative_to(folder))
        found[f"{name} state"] = state_of(run)
        found[f"{name} metrics"] = metrics_of(run)
        pictures = sorted((run / "samples").glob("step_*.png"))
        found[f"{name} pictures"] = [(path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in pictures]
        if (measured := run / "evaluation.json").exists():
            results = json.loads(measured.read_text())["results"]
            found[f"{name} measured"] = [(result["name"], result["value"]) for result in results]
    if (table := folder / "table.csv").exists():
        found["table"] = table.read_text()
    return found


def state_of(run: Path) -> tuple[int, str] | None:
    """(step, digest) of a run's newest sound checkpoint, over its arrays as they are read."""
    from gen_jax.runs import checkpoint, orbax_folder, state_arrays

    with checkpoint.open_checkpoints(run, writable=False) as there:
        steps = there.steps()
    for step in reversed(steps):
        with contextlib.suppress(Exception):  # damaged, in whatever way: a command falls back, too
            record, arrays = orbax_folder.read(run.resolve() / checkpoint.FOLDER, step)
            return step, state_arrays.digest_of(record, arrays)
    return None


def metrics_of(run: Path) -> list[dict[str, Any]]:
    """metrics.jsonl without the clock."""
    from gen_jax.runs import log

    path = run / log.FILE
    lines = [log.parse(line) for line in path.read_bytes().splitlines()] if path.exists() else []
    return [{name: value for name, value in line.items() if name != log.CLOCK} for line in lines if line]


# ---- damage ----------------------------------------------------------------------------------------------------------
def damage(folder: Path, chance: random.Random) -> str:
    """Damage one file somewhere below a folder; says what was done to which."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    path = chance.choice(files)
    content = bytearray(path.read_bytes())
    kind = chance.choice(["flip", "flips", "half", "cut", "empty", "delete", "zeros", "more"])
    place = chance.randrange(len(content)) if content else 0
    if kind == "delete":
        path.unlink()
    else:
        if kind in ("flip", "flips") and content:
            for _ in range(1 if kind == "flip" else 20):
                content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        elif kind == "zeros":
            content[place : place + 512] = bytes(len(content[place : place + 512]))
        elif kind == "more":
            content += chance.randbytes(64)
        else:
            content = content[: {"half": len(content) // 2, "cut": place, "empty": 0}.get(kind, len(content))]
        path.write_bytes(content)
    return f"{kind} {path.relative_to(folder)}"


# ---- disks -----------------------------------------------------------------------------------------------------------
@contextlib.contextmanager
def small_disk(place: Path, size: int) -> Iterator[str]:
    """A disk of `size` bytes at `place`, or, where none may be mounted, no file larger than that in this process.

    Yields "tmpfs" or "limit".
    """
    from disk import files_no_larger_than

    place.mkdir(parents=True, exist_ok=True)
    mounted = _mount("-t", "tmpfs", "-o", f"size={size}", "none", str(place))
    if not mounted:
        with files_no_larger_than(size):
            yield "limit"
        return
    try:
        yield "tmpfs"
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=False, capture_output=True)


def more_room(place: Path) -> None:
    """Make the mounted disk large."""
    _mount("-o", "remount,size=1g", str(place))


def read_only(place: Path, yes: bool) -> bool:
    """Make the mounted disk read-only, or writable again; False where that cannot be."""
    return _mount("-o", f"remount,{'ro' if yes else 'rw'}", str(place))


def _mount(*arguments: str) -> bool:
    if shutil.which("mount") is None:
        return False
    return subprocess.run(["mount", *arguments], check=False, capture_output=True).returncode == 0
