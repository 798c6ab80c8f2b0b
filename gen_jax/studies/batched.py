"""Many runs as one program: `vmap` over their states, for accelerators that one small run leaves idle.

Each run keeps a training loop and a folder of its own. The loops are advanced together to the call that each asks for;
the calls are stacked, run as one program and handed back. So samples, evaluations, checkpoints, resuming and failing
are those of a run alone. Results agree with it to floating-point tolerance, not bit for bit: batched matrix products
are other kernels.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax

from gen_jax.core import parallel
from gen_jax.core.errors import SystemFault, UserError
from gen_jax.core.lines import counted
from gen_jax.data.labelled import STREAM
from gen_jax.runs import answering, feeding
from gen_jax.runs import pace as paces
from gen_jax.runs.config import Config
from gen_jax.runs.exits import Diverged, Interrupted
from gen_jax.runs.signals import Signals
from gen_jax.runs.train import Request, hyper_values, steps_of
from gen_jax.studies.program import (
    Program,
    Task,
    out_of_memory,
    start,
    stop_if_asked,
    stopped_before_a_round,
    timed,
)
from gen_jax.studies.study import Study, record_failure, refuse, status

SHARE = 0.8  # of the device's memory that a batch may take: the rest is for sampling, evaluation and the allocator
GIB = 2**30


def run_batched(
    study: Study,
    program: Program,
    tasks: Sequence[Task],
    signals: Signals,
    memory_gib: float | None,
    ended: dict[str, int],
    say: Callable[[str], None],
) -> None:
    """Bring these runs to their end, as many at once as the memory holds; half as many where it turns out too small."""
    limit = memory_limit(memory_gib)
    size = len(tasks)
    while size > 1 and (need := memory_of(program, study.config(*tasks[0]), size)) > limit:
        # Memory is close to linear in the number of runs; the loop is for what is not.
        size = max(1, min(size - 1, int(size * limit / need)))
    waves = -(-len(tasks) // size)
    size = -(-len(tasks) // waves)
    left = list(tasks)
    while left:
        wave, left = left[:size], left[size:]
        ends = dict.fromkeys(f"{arm.name} seed {seed}" for arm, seed in (wave[0], wave[-1]))
        say(f"{counted(len(wave), 'run')} at once: {' to '.join(ends)}")
        try:
            with answering.may_end(None):
                _wave(study, program, wave, signals, ended)
        except (MemoryError, jax.errors.JaxRuntimeError) as error:
            if not out_of_memory(error):
                raise
            unfinished = [task for task in wave if status(study, *task) == "open"]
            if len(wave) == 1:
                record_failure(study, *wave[0], "out of memory", str(error).splitlines()[0] if str(error) else "")
                ended["failed"] += 1
                continue
            size = max(1, len(wave) // 2)
            say(f"out of memory: on with {size} at once")
            left = unfinished + left
        stop_if_asked(study, signals)


def _wave(study: Study, program: Program, tasks: Sequence[Task], signals: Signals, ended) -> None:
    """These runs together, to their end."""
    loops: dict[int, Any] = {}
    asked: dict[int, Request] = {}
    interrupted: list[Interrupted] = []

    def advance(number: int, reply: Any) -> None:
        """Let one run's loop go on to its next call, or to its end."""
        arm, seed = tasks[number]
        try:
            request = loops[number].send(reply)
        except StopIteration:
            ended["complete"] += 1
            study.failure_file(arm, seed).unlink(missing_ok=True)  # of an earlier try
        except Diverged as error:
            record_failure(study, arm, seed, "diverged", str(error))
            ended["failed"] += 1
        except UserError as error:  # of this run's folder
            if isinstance(error, SystemFault):
                raise
            ended[refuse(study, arm, seed, str(error))] += 1
        except Interrupted as error:
            interrupted.append(error)  # the others save themselves as well, at the end of this call
        else:
            asked[number] = request

    def same(algorithm, batches, where, config, state):
        key = ("one", where, config.steps_per_call, config.batch_size, batches.streamed)
        if key not in program.functions:
            program.functions[key] = steps_of(algorithm, batches, where, config)
        return program.functions[key], 0.0

    kept: Callable[[], str] | None = partial(
        stopped_before_a_round, study, [study.run_dir(arm, seed) for arm, seed in tasks]
    )
    pace = paces.own(study.config(*tasks[0]).steps_per_call)  # one for all, or their calls would part by length
    try:
        for number, (arm, seed) in enumerate(tasks):
            loops[number] = start(study, program, arm, seed, signals, same, pace)
            advance(number, None)
        while asked:
            # Runs of one wave stand at the same step, unless they were killed at different ones.
            by_count: dict[int, list[int]] = {}
            for number, request in asked.items():
                by_count.setdefault(int(request.count), []).append(number)
            for members in by_count.values():
                requests = [asked.pop(number) for number in members]
                replies = _together(program, requests, kept)
                kept = None  # from here on there are rounds to save
                for number, reply in zip(members, replies, strict=True):
                    advance(number, reply)
    finally:
        for loop in loops.values():
            loop.close()
    if interrupted:
        raise interrupted[0]


def _together(program: Program, requests: Sequence[Request], kept: Callable[[], str] | None) -> Any:
    """Run the calls of several runs as one: their (state, metrics). `kept`: as `answering.may_end` has it."""
    states, data = tuple(r.state for r in requests), tuple(r.data for r in requests)
    with answering.may_end(kept):
        compiled = _compiled(program, requests[0].run, states, data, requests[0].count)
    return compiled(states, data, requests[0].count)


def _compiled(program: Program, steps: Any, states: Any, data: Any, count: Any) -> Any:
    key = ("batched", len(states))
    if key not in program.compiled:

        def together(states, data, count):
            stacked = _stacked(states)
            given, axes = _shared(data)
            after, metrics = jax.vmap(steps, in_axes=(0, axes, None))(stacked, given, count)
            return tuple(jax.tree.map(lambda leaf, i=i: leaf[i], (after, metrics)) for i in range(len(states)))

        program.compiled[key] = timed(lambda: jax.jit(together, donate_argnums=0).lower(states, data, count).compile())
    return program.compiled[key][0]


def _stacked(trees: Sequence[Any]) -> Any:
    return jax.tree.map(lambda *leaves: jax.numpy.stack(leaves), *trees)


def _shared(data: Sequence[Any]) -> tuple[Any, Any]:
    """(what the calls are given, as one; its axes for `vmap`).

    Data on the device are one and the same for all: what differs is the seed, and which examples have a label.
    Streamed batches are of each run.
    """
    if not (isinstance(data[0], dict) and set(data[0]) == {"splits", "seed"}):
        return _stacked(data), 0
    splits = {
        stream: _stacked([each["splits"][stream] for each in data]) if stream == STREAM else split
        for stream, split in data[0]["splits"].items()
    }
    axes = {stream: 0 if stream == STREAM else None for stream in splits}
    return {"splits": splits, "seed": jax.numpy.stack([each["seed"] for each in data])}, {"splits": axes, "seed": 0}


def memory_limit(memory_gib: float | None) -> float:
    """Bytes that a batch may take: what was asked for, or a share of what the device (or this machine) has free."""
    if memory_gib is not None:
        if memory_gib <= 0:
            raise UserError(f"--memory-gib {memory_gib}: give a number above 0")
        return memory_gib * GIB
    stats = jax.devices()[0].memory_stats()
    if stats and "bytes_limit" in stats:
        return SHARE * (stats["bytes_limit"] - stats.get("bytes_in_use", 0))
    import os

    return SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")


def memory_of(program: Program, config: Config, size: int) -> float:
    """Bytes that `size` runs at once need by the compiler's account: states, what it works with, and the data."""
    where = parallel.layout("jit" if config.backend == "auto" else config.backend, 1)
    algorithm = program.algorithm
    batches = feeding.make(program.source, config, algorithm.minibatches, where, 0)
    key = ("one", where, config.steps_per_call, config.batch_size, batches.streamed)
    steps = program.functions.setdefault(key, steps_of(algorithm, batches, where, config))
    state = jax.eval_shape(
        lambda key, hyper: algorithm.init(key).replace(hyper=hyper), jax.random.key(0), hyper_values(algorithm)
    )
    placed = jax.tree.map(lambda leaf: _shape(leaf, where.replicated), (state, batches.example()))
    count = parallel.place_count(1, where)
    compiled = _compiled(program, steps, (placed[0],) * size, (placed[1],) * size, count)
    found = compiled.memory_analysis()
    if found is None:
        return 0.0
    used = found.temp_size_in_bytes + found.argument_size_in_bytes + found.output_size_in_bytes
    return float(used - found.alias_size_in_bytes)


def _shape(leaf: Any, sharding: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding, weak_type=getattr(leaf, "weak_type", False))
