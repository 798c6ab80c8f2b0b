"""Does a run come out again? It is executed anew from its own folder and compared with what the folder holds.

On the same platform, versions and flags the answer is bit for bit: the digest of the state and every line of metrics.
Elsewhere it is how far each metric is off, and what is different about the place.
"""

import dataclasses
import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.core.types import State
from gen_jax.runs import checkpoint, folder, identity, log, manifest, state_arrays
from gen_jax.runs.access import Access
from gen_jax.runs.files import read_json
from gen_jax.runs.opened import HERE, data_of, moved, open_state
from gen_jax.runs.settings import flatten
from gen_jax.runs.signals import Signals
from gen_jax.runs.train import drive, training

CLOCK = "seconds"  # what differs between two runs of the same thing


class Verdict(NamedTuple):
    """What came of it. `deviations`: largest |again - before| by metric; `places` and `leaves`: what differs."""

    step: int
    same_digest: bool
    same_stream: bool
    deviations: dict[str, float]
    finals: dict[str, tuple[float, float]]  # metric -> (before, again)
    places: list[str]
    leaves: list[str]

    @property
    def bitwise(self) -> bool:
        return self.same_digest and self.same_stream


def reproduce(run: Path, scratch: Path | None = None, trusted: bool = False, access: Access = HERE) -> Verdict:
    """Execute a run again, up to its newest checkpoint, in `scratch` (by default a folder that is removed after).

    The run's folder is only read. Raises UserError where it is no run, has no checkpoint to compare with, was trained
    on more than one data set or code, or where its data or code are not the run's (`access` as in `open_state`).
    """
    opened = folder.open_run(run, trusted, access.allow_changed)
    for kind, marks in identity.history(folder.record(run)).items():
        if len(marks) > 1:
            raise UserError(
                f"{run} was trained on more than one {kind} in turn ({', '.join(marks)}: see `info`), so that no one "
                "command makes it again"
            )
    with checkpoint.open_checkpoints(run, writable=False) as there:
        steps = there.steps()
    if not steps:
        raise UserError(f"{run} has no checkpoint to compare with; train it first")
    if scratch is not None:
        return _again(opened, steps[-1], scratch, access)
    with tempfile.TemporaryDirectory(prefix="reproduce-") as temporary:
        return _again(opened, steps[-1], Path(temporary) / "run", access)


def _again(opened: folder.Run, step: int, scratch: Path, access: Access) -> Verdict:
    run, before = opened.path, moved(opened.config, access)
    source = data_of(run, before, access)
    # A checkpoint at the last step alone; when checkpoints are written changes no result.
    config = dataclasses.replace(before, run_dir=scratch, steps=step, checkpoint_every=0)
    with Signals() as signals:
        drive(training(config, opened.build, run / "experiment.py", signals, source, quiet=True))
    first = open_state(run, step, source, trusted=True, access=access)  # executed a moment ago, and so was its copy
    second = open_state(scratch, step, source, trusted=True)
    stream, again = _stream(run, step), _stream(scratch, step)
    return Verdict(
        step,
        checkpoint.digest(first.state) == checkpoint.digest(second.state),
        # A run that was killed lacks the lines that a run writes at its end, which the new one has.
        _aligned(stream, again) == (again if _complete(run) else _aligned(again, stream)),
        deviations(stream, again),
        _finals(stream, again),
        places(read_json(run / manifest.FILE) or {}, read_json(scratch / manifest.FILE) or {}),
        differing_leaves(first.state, second.state),
    )


def deviations(before: list[dict[str, Any]], again: list[dict[str, Any]]) -> dict[str, float]:
    """Largest |again - before| by metric, over the steps that both have; infinite where only one is finite."""
    found: dict[str, float] = {}
    values = {(line["step"], name): value for line in before for name, value in line.items()}
    for line in again:
        for name, value in line.items():
            if name in ("step", "images") or (line["step"], name) not in values:
                continue
            old = values[line["step"], name]
            apart = 0.0 if old == value else math.inf if old is None or value is None else abs(value - old)
            found[name] = max(found.get(name, 0.0), apart)
    return found


def places(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two manifests and may explain other numbers: packages, processor, devices, flags, data.

    Every sitting of the first counts: a run may have been continued elsewhere.
    """
    here = _place(now, now["sittings"][-1])
    found: dict[str, None] = {}
    for sitting in before.get("sittings", []):
        there = _place(before, sitting)
        for name in sorted(there.keys() | here.keys()):
            old, new = there.get(name), here.get(name)
            if old != new:
                found[_phrase(name, old, new)] = None
    return list(found)


def _place(record: Mapping[str, Any], sitting: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: sitting[name] for name in ("versions", "platform", "flags", "code", "backend", "devices")}
    flat = flatten({**kept, "data": record.get("data", {}), "parameters": record.get("parameters", {})})
    return {name: value for name, value in flat.items() if name != "flags.jax_compilation_cache_dir"}


def _phrase(name: str, old: Any, new: Any) -> str:
    if isinstance(old, list) and isinstance(new, list) and name.endswith("cpu_features"):
        less, more = sorted(set(old) - set(new)), sorted(set(new) - set(old))
        return f"{name}: {', '.join(less) or 'nothing'} only there, {', '.join(more) or 'nothing'} only here"
    return f"{name}: {old} there, {new} here"


def differing_leaves(first: State, second: State) -> list[str]:
    """The state's leaves that differ, hyperparameters first (they are causes, the rest are effects)."""
    one, two = state_arrays.take(first, copy=False), state_arrays.take(second, copy=False)
    found = []
    for leaf, a, b in zip(one[0], one[1], two[1], strict=True):
        if not np.array_equal(a.reshape(-1).view(np.uint8), b.reshape(-1).view(np.uint8)):
            name = "/".join(leaf["path"])
            if a.size == 1:
                found.append(f"{name}: {a.item():.7g} there, {b.item():.7g} here")
            else:
                apart = np.abs(a.astype(np.float64) - b.astype(np.float64)).max()
                found.append(f"{name}: up to {apart:.3g} apart")
    return sorted(found, key=lambda line: not line.startswith("hyper/"))


def _stream(run: Path, step: int) -> list[dict[str, Any]]:
    """metrics.jsonl up to a step, without the clock."""
    lines = [line for line in log.read_lines(run) if line["step"] <= step]
    return [{name: value for name, value in line.items() if name != CLOCK} for line in lines]


def _aligned(before: list[dict[str, Any]], again: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """`before` without the lines that a run writes where it was stopped and continued, which `again` never was."""
    events = {(line["step"], tuple(sorted(line))) for line in again}
    return [line for line in before if (line["step"], tuple(sorted(line))) in events]


def _complete(run: Path) -> bool:
    return (read_json(run / manifest.FILE) or {}).get("status") == "complete"


def _finals(before: list[dict[str, Any]], again: list[dict[str, Any]]) -> dict[str, tuple[float, float]]:
    def last(lines: list[dict[str, Any]]) -> dict[str, float]:
        return {
            name: math.nan if value is None else float(value)
            for line in lines
            for name, value in line.items()
            if name not in ("step", "images")
        }

    old, new = last(before), last(again)
    return {name: (old[name], new[name]) for name in old if name in new}
