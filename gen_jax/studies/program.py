"""A program that runs of a study share: what an arm would compute, compared with what is compiled already.

That arms differ in hyperparameter values alone is not taken on trust: what an arm would compile is compared with what
is compiled already, so an experiment that decides something by a hyperparameter's value gets programs of its own.
"""

import dataclasses
import hashlib
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import jax
import numpy as np
from jax.interpreters import partial_eval

from gen_jax.core import parallel
from gen_jax.core.lines import say
from gen_jax.core.types import Algorithm
from gen_jax.data import feed, load, reading
from gen_jax.data.source import Source
from gen_jax.runs import answering, manifest
from gen_jax.runs.config import Config
from gen_jax.runs.exits import Interrupted
from gen_jax.runs.pace import Pace
from gen_jax.runs.signals import Signals
from gen_jax.runs.train import compile_steps, hyper_values, training
from gen_jax.studies.plan import Arm
from gen_jax.studies.study import Study

Task: TypeAlias = tuple[Arm, int]  # an arm and a seed
Sources: TypeAlias = dict[Any, Source]  # by the settings that they were loaded with


class Program(NamedTuple):
    """One structure: the algorithm whose functions are compiled, and a fingerprint of what they compute."""

    algorithm: Algorithm
    source: Source
    fingerprint: str
    compiled: dict[Any, tuple[Any, float]]  # filled at first use: kind -> (what was compiled, seconds)
    functions: dict[Any, Any]  # what is traced into larger programs


def program_of(study: Study, arm: Arm, programs: list[Program], sources: Sources) -> int:
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


def start(
    study: Study,
    program: Program,
    arm: Arm,
    seed: int,
    signals: Signals,
    prepare: Any = None,
    pace: Pace | None = None,
):
    """The training loop of one run on a shared program. `pace`: that of runs whose calls are one."""

    def build(config: Config, source: Source) -> Algorithm:
        # The functions of the structure's first arm, for they are compiled, with the numbers of this arm.
        return program.algorithm._replace(hyper=study.build(config, source).hyper)

    def shared(algorithm, batches, where, config, state):
        key = (where, config.steps_per_call, config.batch_size, batches.streamed)
        if key not in program.compiled:
            with answering.may_end(lambda: stopped_before_a_round(study, [config.run_dir])):
                program.compiled[key] = compile_steps(algorithm, batches, where, config, state)
            return program.compiled[key]
        return program.compiled[key][0], 0.0

    config = study.config(arm, seed)
    # Which labels are known is the seed's; the shapes, and so the program, are the same for all.
    source = program.source if config.labels_per_class is None else load.of(config)
    return training(config, build, study.script, signals, source, prepare or shared, quiet=True, pace=pace)


def source_of(config: Config, sources: Sources) -> Source:
    """The data of these settings, loaded once and put on the device once."""
    key = (*load.key(config), config.backend, config.devices)
    if key not in sources:
        found = load.of(config)
        say(reading.line(found))
        if feed.fits(found, int(config.resident_gib * 2**30)):
            arrays = feed.resident(found.train, parallel.layout(config.backend, config.devices).replicated).arrays
            found = dataclasses.replace(found, train=dataclasses.replace(found.train, arrays=arrays))
        sources[key] = found
    return sources[key]


def batch_shapes(algorithm: Algorithm, source: Source, config: Config) -> dict[str, dict[str, jax.ShapeDtypeStruct]]:
    """The shapes of a round's batches, by stream."""
    found = {}
    for stream, count in algorithm.minibatches.items():
        split = source.split(stream)
        example = split.arrays if split.arrays is not None else split.read(np.arange(1))
        found[stream] = {
            name: jax.ShapeDtypeStruct(
                (count, config.batch_size, *values.shape[1:]), np.float32 if name == "x" else values.dtype
            )
            for name, values in example.items()
        }
    return found


def fingerprint_of(algorithm: Algorithm, source: Source, config: Config) -> str:
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


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    """(result, seconds)."""
    began = time.perf_counter()
    return function(), time.perf_counter() - began


def out_of_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error) or "Out of memory" in str(error)


def stopped_before_a_round(study: Study, run_dirs: Sequence[Path | None]) -> str:
    """What a signal ends while a program is compiled that these runs wait for."""
    for run_dir in filter(None, run_dirs):
        manifest.finish(run_dir, "stopped", "before a round was done")
    return finished_so_far(study)


def finished_so_far(study: Study) -> str:
    return f"the runs finished so far are in {study.folder}; the same command continues"


def stop_if_asked(study: Study, signals: Signals) -> None:
    """Raises Interrupted where a signal arrived just as a run came to its end."""
    if signals.received is not None:
        raise Interrupted(finished_so_far(study), signals.status)
