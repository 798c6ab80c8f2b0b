"""What a finding advises, as commands that this run's data and networks take, with the run's own flags.

All is read from the run's folder; nothing of it is executed. A remedy that changes a setting which the run's own script
has is that script with the change; another's is that experiment on the same data. What the run does already, and what
its data rule out, is left out.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

from gen_jax.core.errors import UserError
from gen_jax.runs import folder, manifest
from gen_jax.runs.config import Config
from gen_jax.runs.diagnosis.rule import Remedy
from gen_jax.runs.settings import flatten

COMMON = {field.name for field in fields(Config)} - {"run_dir", "steps"}  # of a run's flags, what other scripts take
OFF = (None, False, 0, 1, "", "none")  # of settings that remedies may clash with: 1 is a packing of one
SIDES = range(8, 129)  # pixels of images that convolutional experiments take


class Ground(NamedTuple):
    """What is known of a run: its script as it was called ("": not known, or not called for it alone), its flags, its
    settings by dotted name, the shape of an example (None: not known) and the number of training examples."""

    script: str = ""
    flags: tuple[tuple[str, str], ...] = ()  # (name, what follows it)
    settings: Mapping[str, Any] = {}
    shape: tuple[int, ...] | None = None
    train: int | None = None

    @property
    def name(self) -> str:
        return Path(self.script).name


def ground(run_dir: Path) -> Ground:
    """By config.json and manifest.json; of what is missing or damaged nothing is known."""
    try:
        settings, record = flatten(folder.read_config(run_dir)), folder.record(run_dir) or {}
    except UserError:
        return Ground()
    try:
        words = shlex.split((record.get("sittings") or [{}])[0].get("command", ""))
    except ValueError:
        words = []
    place = next((number for number, word in enumerate(words) if word.endswith(".py")), None)
    flags = () if place is None else flags_of(words[place + 1 :])
    read = (record.get("data") or {}).get("read") or {}
    shape = read.get("shape")
    # A study's flags, or those of a script that makes several runs, are none of the run's own.
    alone = place is not None and all(_field(name) in settings.keys() | {"run_dir"} for name, _ in flags)
    return Ground(
        words[place] if alone and place is not None and manifest.script_name(record) else "",
        flags if alone else (),
        settings,
        tuple(shape) if shape else None,
        read.get("train"),
    )


def flags_of(words: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Flags of a command line with what follows each, as it must be written: ("--width", "32")."""
    found: list[tuple[str, list[str]]] = []
    for word in words:
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            found.append((name, [value] if equals else []))
        elif found:
            found[-1][1].append(word)
    return tuple((name, shlex.join(values)) for name, values in found)


def fitting(remedies: Sequence[Remedy], run: Ground) -> list[dict[str, str]]:
    """ "command" and "why" of each remedy that fits the run, in their order; a run that is not known gets all."""
    found: dict[str, str] = {}
    for remedy in remedies:
        command = remedy.command if not run.settings else _command(remedy, run)
        if command is not None:
            found.setdefault(command, remedy.why)
    return [{"command": command, "why": why} for command, why in found.items()]


def _command(remedy: Remedy, run: Ground) -> str | None:
    if remedy.needs and remedy.needs not in run.settings:
        return None
    changes = [(name, _value(name, value, run)) for name, value in flags_of(shlex.split(remedy.flags))]
    own = bool(changes) and all(_known(name, run) for name, _ in changes)
    if own and all(_has(name, value, run) for name, value in changes):
        return None  # it does so already
    if own and any(run.settings.get(name) not in OFF for name in remedy.clashes):
        return None
    batch = dict(changes).get("--batch-size", str(run.settings.get("batch_size", "")))
    if run.train is not None and batch.isdecimal() and int(batch) > run.train:
        return None
    if own and (run.script or not remedy.script):
        if not run.script:
            return _joined(changes)
        return f"{shlex.quote(run.script)} {_joined(_merged(run.flags, changes))}".strip()
    if not remedy.script or remedy.script == run.name or not _takes(remedy, run):
        return None
    if remedy.data == "mixtures":  # it has its own settings
        return f"experiments/{remedy.script} {remedy.flags} --data {run.settings.get('data')}"
    kept = [(name, value) for name, value in run.flags if _field(name) in COMMON]
    if not run.script:
        told = {name: run.settings.get(name) for name in ("data", "data_dir")}
        kept = [(f"--{name.replace('_', '-')}", shlex.quote(str(value))) for name, value in told.items() if value]
    return f"experiments/{remedy.script} {_joined(_merged(kept, changes))}".strip()


def _takes(remedy: Remedy, run: Ground) -> bool:
    """Whether the remedy's experiment takes the run's data."""
    shape = run.shape
    if remedy.data == "mixtures":
        return run.settings.get("data") in ("ring8", "grid25")
    if shape is None or remedy.data == "any":
        return True
    if remedy.data == "points":
        return len(shape) == 1
    square = len(shape) == 3 and shape[0] == shape[1] and shape[0] in SIDES and shape[2] in (1, 3)
    return square and shape[0] % remedy.multiple == 0


def _field(flag: str) -> str:
    """The setting that a flag sets: --hyper.lr-generator is hyper.lr_generator, --no-batch-norm batch_norm."""
    return flag.removeprefix("--").removeprefix("no-").replace("-", "_")


def _known(flag: str, run: Ground) -> bool:
    return _field(flag) in run.settings


def _has(flag: str, value: str, run: Ground) -> bool:
    """Whether the run has this setting already."""
    there = run.settings[_field(flag)]
    if isinstance(there, bool):
        return there is (not flag.startswith("--no-"))
    try:
        return float(there) == float(value)
    except (TypeError, ValueError):
        return str(there) == value


def _value(flag: str, value: str, run: Ground) -> str:
    """The value; of "/4" a quarter of what the run has."""
    if not value.startswith("/"):
        return value
    there = run.settings.get(_field(flag))
    if not isinstance(there, int | float) or isinstance(there, bool):
        return value
    part = there / float(value[1:])
    return f"{max(1, round(part))}" if isinstance(there, int) else f"{part:g}"


def _merged(flags: Sequence[tuple[str, str]], changes: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The run's flags without its folder and what is changed, and the changes."""
    changed = {_field(name) for name, _ in changes} | {"run_dir"}
    return [*((name, value) for name, value in flags if _field(name) not in changed), *changes]


def _joined(flags: Sequence[tuple[str, str]]) -> str:
    return " ".join(f"{name} {value}".strip() for name, value in flags)
