"""What a study will take: programs, runs, and an estimate of time and memory, told before it starts.

The time is that of the arithmetic alone, counted by XLA before it optimises, at the speed of a matrix product measured
here and now: small networks take longer (up to several times), because their time goes into moving numbers and not
into multiplying them. Where runs of the study are finished, their own time is taken in its place.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gen_jax.core import parallel
from gen_jax.core.errors import UserError
from gen_jax.core.lines import counted, in_bytes
from gen_jax.data import feed
from gen_jax.runs import memory, rehearsal
from gen_jax.studies import execute, plan, program, promised, study
from gen_jax.studies.plan import Arm
from gen_jax.studies.study import Study

GIB = 2**30


class Part(NamedTuple):
    """One expected program: its arms, how it will run, and what a run of it needs."""

    structure: str
    arms: list[Arm]
    mode: str
    state_bytes: int
    data_bytes: int
    flops: float  # a round
    metrics: set[str]  # that its runs will have


def forecast(
    arms: Sequence[Arm],
    build: Callable[..., Any],
    mode: execute.Mode,
    sources: program.Sources | None = None,
    script: Path = Path("the script"),
    new: bool = False,
) -> list[Part]:
    """A part a structure. Raises UserError, naming the arm, where one cannot be built, fed or held; where the study is
    `new`, also for a setting that the script does not read.
    """
    sources = {} if sources is None else sources
    parts = []
    for arm in arms:  # every cell, before the data of the first are read
        with _named(arm):
            rehearsal.check(arm.config)
    for group in plan.groups(arms):
        config = group[0].config
        source = program.source_of(config, sources)
        with _named(group[0]):
            where = parallel.layout(config.backend, config.devices)
            first = rehearsal.rehearse(config, build, source, where, script, new)
        for arm in group[1:]:  # other numbers in the same program
            with _named(arm):
                build(arm.config, source)
        algorithm = first.algorithm
        cost = first.traced.lower().cost_analysis()
        size = int(memory.of(first.template))
        fits = feed.fits(source, int(config.resident_gib * GIB), algorithm.minibatches)
        resident = sum(source.split(stream).nbytes for stream in algorithm.minibatches) if fits else 0
        how = execute.mode_for(mode, config)
        flops = float((cost or {}).get("flops", 0.0))
        metrics = promised.names(first, config, source)
        parts.append(Part(group[0].structure, group, how, size, resident, flops, metrics))
    return parts


@contextlib.contextmanager
def _named(arm: Arm) -> Iterator[None]:
    """A UserError of the body says which arm it is of."""
    try:
        yield
    except UserError as error:
        raise UserError(f"arm {arm.name}: {error}") from None


def describe(opened: Study, parts: Sequence[Part]) -> str:
    """The plan for a person."""
    speed = None
    lines, total, guessed = [], 0.0, False
    for part in parts:
        open_runs = sum(study.status(opened, arm, seed) == "open" for arm in part.arms for seed in opened.seeds)
        steps = part.arms[0].config.steps
        seconds = _finished(opened, part)
        if seconds is None:
            speed = speed or flops_per_second()
            seconds, guessed = steps * part.flops / speed, guessed or open_runs > 0
        total += seconds * open_runs
        together = len(part.arms) * len(opened.seeds) if part.mode == "batched" else 1
        needed = part.state_bytes * together + part.data_bytes
        what = "in one vmapped program" if part.mode == "batched" else "one after another in one program"
        lines.append(
            f"  {part.structure or 'all arms'}: {_size(len(part.arms), opened)} {what}, "
            f"{counted(open_runs, 'run')} to do, {in_bytes(needed)} of states and data"
        )
    count = len(opened.arms) * len(opened.seeds)
    kind = "at least " if guessed else "about "
    runs = f"{counted(count, 'run')} of {counted(opened.base.steps, 'step')}"
    programs = f"{counted(len(parts), 'program')} to compile"
    head = (
        f"{opened.folder}: {_size(len(opened.arms), opened)} = {runs}, {programs}, {kind}{_duration(total)} of training"
    )
    return "\n".join([head, *lines, f"  baseline: {opened.baseline}"])


def _size(arms: int, opened: Study) -> str:
    return f"{counted(arms, 'arm')} × {counted(len(opened.seeds), 'seed')}"


def flops_per_second() -> float:
    """Of a float32 matrix product of 1024 × 1024 on the first device."""
    matrix = jnp.ones((1024, 1024), jnp.float32)
    product = jax.jit(jnp.dot)
    product(matrix, matrix).block_until_ready()
    times = []
    for _ in range(5):
        began = time.perf_counter()
        product(matrix, matrix).block_until_ready()
        times.append(time.perf_counter() - began)
    return 2 * 1024**3 / float(np.median(times))


def _finished(opened: Study, part: Part) -> float | None:
    """Mean training seconds of this part's finished runs; None without any."""
    found = []
    for arm in part.arms:
        for seed in opened.seeds:
            record = study.record_of(opened, arm, seed) or {}
            if record.get("status") == "complete":
                found.append(sum(sitting["run_seconds"] or 0.0 for sitting in record["sittings"]))
    return float(np.mean(found)) if found else None


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
