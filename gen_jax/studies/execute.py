"""Runs some arms of a study, on every seed, as ordinary run folders that share compiled programs.

Sequential (the default on CPU): one run after another through the same compiled program, each bit for bit the run that
it would be alone. Batched (the default on GPU and TPU): the calls of many runs, gathered from as many training loops,
are one vmapped program; a memory limit says how many. The loop itself is `runs.train.training` in both.

That arms differ in hyperparameter values alone is not taken on trust: what an arm would compile is compared with what
is compiled already, so an experiment that decides something by a hyperparameter's value gets programs of its own.
"""

import dataclasses
import hashlib
import re
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
from jax.interpreters import partial_eval

from gen_jax.core import parallel
from gen_jax.core.errors import UserError
from gen_jax.core.types import Algorithm
from gen_jax.data import feed, load
from gen_jax.runs.exits import Diverged, Interrupted
from gen_jax.runs.train import Signals, compile_steps, drive, hyper_values, training
from gen_jax.studies.plan import Arm
from gen_jax.studies.study import Study, record_failure, status

Mode = Literal["auto", "sequential", "batched"]
Task = tuple[Arm, int]  # an arm and a seed


class Program(NamedTuple):
    """One structure: the algorithm whose functions are compiled, and a fingerprint of what they compute."""

    algorithm: Algorithm
    source: Any
    fingerprint: str
    compiled: dict[Any, tuple[Any, float]]  # filled at first use: kind -> (what was compiled, seconds)
    functions: dict[Any, Any]  # what is traced into larger programs


class Tally(NamedTuple):
    """What an execution did: programs compiled, the seconds that took, and runs by how they ended."""

    programs: int
    compile_seconds: float
    runs: dict[str, int]


def mode_for(mode: Mode, config: Any) -> str:
    """The mode that "auto" stands for on this platform. Raises UserError where batching is impossible."""
    if mode == "auto":
        return "sequential" if jax.default_backend() == "cpu" or (config.devices or 1) > 1 else "batched"
    if mode == "batched" and parallel.layout(config.backend, config.devices).size > 1:
        raise UserError("--mode batched runs on one device; add --devices 1, or use --mode sequential")
    return mode


def execute(
    study: Study,
    arms: Sequence[Arm],
    mode: Mode = "auto",
    memory_gib: float | None = None,
    say: Callable[[str], None] = print,
) -> Tally:
    """Bring every seed of these arms to its end; those that are there already are left alone.

    A run that diverges or runs out of memory is recorded and the others go on. Raises Interrupted on SIGINT and
    SIGTERM, after a checkpoint; the same call continues.
    """
    programs: list[Program] = []
    ended = {"complete": 0, "failed": 0, "skipped": 0}
    sources: dict[Any, Any] = {}
    queue: dict[int, list[Task]] = {}
    for arm in arms:
        tasks = [(arm, seed) for seed in study.seeds if status(study, arm, seed) == "open"]
        ended["skipped"] += len(study.seeds) - len(tasks)
        if tasks:
            number = _program(study, arm, programs, sources)
            queue.setdefault(number, []).extend(tasks)
    with Signals() as signals:
        for number, tasks in queue.items():
            arm = tasks[0][0]
            if mode_for(mode, arm.config) == "batched":
                from gen_jax.studies.batched import run_batched

                run_batched(study, programs[number], tasks, signals, memory_gib, ended, say)
            else:
                _run_sequentially(study, programs[number], tasks, signals, ended, say)
    seconds = sum(value[1] for program in programs for value in program.compiled.values())
    return Tally(sum(len(program.compiled) for program in programs), seconds, ended)


def _run_sequentially(study: Study, program: Program, tasks: Sequence[Task], signals: Signals, ended, say) -> None:
    for arm, seed in tasks:
        say(f"{arm.name} seed {seed}")
        outcome = attempt(study, arm, seed, lambda a=arm, s=seed: drive(start(study, program, a, s, signals)))
        ended[outcome] += 1
        stop_if_asked(study, signals)


def start(study: Study, program: Program, arm: Arm, seed: int, signals: Signals, prepare: Any = None):
    """The training loop of one run on a shared program."""

    def build(config: Any, source: Any) -> Algorithm:
        # The functions of the structure's first arm, for they are compiled, with the numbers of this arm.
        return program.algorithm._replace(hyper=study.build(config, source).hyper)

    def shared(algorithm, batches, where, config, state):
        key = (where, config.steps_per_call, config.batch_size, batches.streamed)
        if key not in program.compiled:
            program.compiled[key] = compile_steps(algorithm, batches, where, config, state)
            return program.compiled[key]
        return program.compiled[key][0], 0.0

    return training(
        study.config(arm, seed), build, study.script, signals, program.source, prepare or shared, quiet=True
    )


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    """(result, seconds)."""
    began = time.perf_counter()
    return function(), time.perf_counter() - began


def attempt(study: Study, arm: Arm, seed: int, function: Callable[[], Any]) -> str:
    """Do it; "complete", or "failed" where the run broke down in a way that is its own, which is recorded."""
    try:
        function()
    except Diverged as error:
        record_failure(study, arm, seed, "diverged", str(error))
        return "failed"
    except (MemoryError, jax.errors.JaxRuntimeError) as error:
        if not out_of_memory(error):
            raise
        record_failure(study, arm, seed, "out of memory", str(error).splitlines()[0] if str(error) else "")
        return "failed"
    return "complete"


def out_of_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error) or "Out of memory" in str(error)


def stop_if_asked(study: Study, signals: Signals) -> None:
    """Raises Interrupted where a signal arrived just as a run came to its end."""
    if signals.received is not None:
        raise Interrupted(f"the runs finished so far are in {study.folder}; the same command continues", signals.status)


def _program(study: Study, arm: Arm, programs: list[Program], sources: dict[Any, Any]) -> int:
    """The number of the program that this arm runs on, a new one if none of those there computes the same."""
    config = study.config(arm, study.seeds[0])
    source = source_of(config, sources)
    algorithm = study.build(config, source)
    fingerprint = f"{arm.structure}|{fingerprint_of(algorithm, source, config)}"
    for number, program in enumerate(programs):
        if program.fingerprint == fingerprint:
            return number
    programs.append(Program(algorithm, source, fingerprint, {}, {}))
    return len(programs) - 1


def source_of(config: Any, sources: dict[Any, Any]) -> Any:
    """The data of these settings, loaded once and put on the device once."""
    key = (config.data, config.data_dir, config.image_size, config.channels, config.backend, config.devices)
    if key not in sources:
        found = load.load(config.data, config.data_dir and str(config.data_dir), config.image_size, config.channels)
        if feed.fits(found, int(config.resident_gib * 2**30)):
            arrays = feed.resident(found, parallel.layout(config.backend, config.devices).replicated)
            found = dataclasses.replace(found, train=dataclasses.replace(found.train, arrays=arrays))
        sources[key] = found
    return sources[key]


def batch_shapes(algorithm: Algorithm, source: Any, config: Any) -> dict[str, jax.ShapeDtypeStruct]:
    """The shapes of a round's batch."""
    shape = (algorithm.minibatches, config.batch_size)
    batch = {"x": jax.ShapeDtypeStruct((*shape, *source.shape), np.float32)}
    if source.classes is not None:
        batch["label"] = jax.ShapeDtypeStruct(shape, np.int32)
    return batch


def fingerprint_of(algorithm: Algorithm, source: Any, config: Any) -> str:
    """SHA-256 of what `init` and `update` compute, as a jaxpr; hyperparameters enter as arguments, not as values."""
    key = jax.random.key(0)
    template = jax.eval_shape(algorithm.init, key)
    made = jax.make_jaxpr(lambda key, hyper: algorithm.init(key).replace(hyper=hyper))(key, hyper_values(algorithm))
    step = jax.make_jaxpr(algorithm.update)(template, batch_shapes(algorithm, source, config))
    total = hashlib.sha256()
    for closed in (made, step):
        # Without dead code: the initial hyperparameters, which `replace` overwrites, are such.
        live, _ = partial_eval.dce_jaxpr(closed.jaxpr, [True] * len(closed.jaxpr.outvars))
        total.update(re.sub(r"0x[0-9a-f]+", "", str(live)).encode())  # addresses of the functions behind it
        for constant in closed.consts:
            total.update(np.asarray(constant).tobytes())
    return total.hexdigest()
