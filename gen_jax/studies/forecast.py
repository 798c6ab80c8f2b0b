"""What a study will take: programs, runs, and an estimate of time and memory, told before it starts.

The time is that of the arithmetic alone, counted by XLA before it optimises, at the speed of a matrix product measured
here and now: small networks take longer (up to several times), because their time goes into moving numbers and not
into multiplying them. Where runs of the study are finished, their own time is taken in its place.
"""

# pyright: reportPossiblyUnboundVariable=false
# A group has at least one arm, which the checker cannot know.

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gen_jax.core import parallel
from gen_jax.core.errors import UserError
from gen_jax.data import feed
from gen_jax.runs import feeding, manifest
from gen_jax.studies import execute, plan, program, study
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


def forecast(arms: Sequence[Arm], build: Callable[..., Any], mode: execute.Mode) -> list[Part]:
    """A part a structure. Raises UserError, naming the arm, where one cannot be built or fed."""
    sources: program.Sources = {}
    parts = []
    for group in plan.groups(arms):
        config = group[0].config
        source = program.source_of(config, sources)
        try:
            for arm in group:
                algorithm = build(arm.config, source)
            feeding.check(
                source,
                config.batch_size,
                algorithm.minibatches,
                parallel.layout(config.backend, config.devices).size,
            )
        except UserError as error:
            raise UserError(f"arm {arm.name}: {error}") from None
        state = jax.eval_shape(algorithm.init, jax.random.key(0))
        cost = jax.jit(algorithm.update).lower(state, program.batch_shapes(algorithm, source, config)).cost_analysis()
        size = sum(_bytes(leaf) for leaf in jax.tree.leaves(state))
        fits = feed.fits(source, int(config.resident_gib * GIB), algorithm.minibatches)
        resident = sum(source.split(stream).nbytes for stream in algorithm.minibatches) if fits else 0
        how = execute.mode_for(mode, config)
        flops = float((cost or {}).get("flops", 0.0))
        parts.append(Part(group[0].structure, group, how, size, resident, flops))
    return parts


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
        memory = (part.state_bytes * together + part.data_bytes) / GIB
        what = "in one vmapped program" if part.mode == "batched" else "one after another in one program"
        lines.append(
            f"  {part.structure or 'all arms'}: {len(part.arms)} arms × {len(opened.seeds)} seeds {what}, "
            f"{open_runs} runs to do, {_size(memory)} of states and data"
        )
    count = len(opened.arms) * len(opened.seeds)
    kind = "at least " if guessed else "about "
    head = (
        f"{opened.folder}: {len(opened.arms)} arms × {len(opened.seeds)} seeds = {count} runs of "
        f"{opened.base.steps} steps, {len(parts)} programs to compile, {kind}{_duration(total)} of training"
    )
    return "\n".join([head, *lines, f"  baseline: {opened.baseline}"])


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
            record = manifest.read(opened.run_dir(arm, seed)) or {}
            if record.get("status") == "complete":
                found.append(sum(sitting["run_seconds"] or 0.0 for sitting in record["sittings"]))
    return float(np.mean(found)) if found else None


def _bytes(leaf: Any) -> int:
    itemsize = 8 if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf.dtype.itemsize
    return int(np.prod(leaf.shape)) * itemsize


def _size(gib: float) -> str:
    return f"{gib:.1f} GiB" if gib >= 1 else f"{gib * 1024:.1f} MiB"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
