"""Runs some arms of a study, on every seed, as ordinary run folders that share compiled programs.

Sequential (the default on CPU): one run after another through the same compiled program, each bit for bit the run that
it would be alone. Batched (the default on GPU and TPU): the calls of many runs, gathered from as many training loops,
are one vmapped program; a memory limit says how many. The loop itself is `runs.train.training` in both.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, NamedTuple

import jax

from gen_jax.core import parallel
from gen_jax.core.errors import SystemFault, UserError
from gen_jax.runs import answering
from gen_jax.runs.config import Config
from gen_jax.runs.exits import Diverged
from gen_jax.runs.signals import Signals
from gen_jax.runs.train import drive
from gen_jax.studies.batched import run_batched
from gen_jax.studies.plan import Arm
from gen_jax.studies.program import (
    Program,
    Sources,
    Task,
    finished_so_far,
    out_of_memory,
    program_of,
    start,
    stop_if_asked,
)
from gen_jax.studies.study import Study, record_failure, refuse, status

Mode = Literal["auto", "sequential", "batched"]


class Tally(NamedTuple):
    """What an execution did: programs compiled, the seconds that took, and runs by how they ended."""

    programs: int
    compile_seconds: float
    runs: dict[str, int]


def mode_for(mode: Mode, config: Config) -> str:
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
    sources: Sources | None = None,
) -> Tally:
    """Bring every seed of these arms to its end; those that are there already are left alone.

    A run that diverges, runs out of memory or has a folder in which it cannot go on is recorded, and the others go on.
    Raises Interrupted on a signal, after a checkpoint; the same call continues. `sources`: data that are loaded.
    """
    programs: list[Program] = []
    ended = {"complete": 0, "failed": 0, "skipped": 0}
    sources = {} if sources is None else sources
    queue: dict[int, list[Task]] = {}
    for arm in arms:
        tasks = [(arm, seed) for seed in study.seeds if status(study, arm, seed) == "open"]
        ended["skipped"] += len(study.seeds) - len(tasks)
        if tasks:
            number = program_of(study, arm, programs, sources)
            queue.setdefault(number, []).extend(tasks)
    with Signals() as signals, answering.Answers(signals) as answers:
        answers.nothing_is_lost = partial(finished_so_far, study)
        for number, tasks in queue.items():
            arm = tasks[0][0]
            if mode_for(mode, arm.config) == "batched":
                run_batched(study, programs[number], tasks, signals, memory_gib, ended, say)
            else:
                _run_sequentially(study, programs[number], tasks, signals, ended, say)
    seconds = sum(value[1] for program in programs for value in program.compiled.values())
    return Tally(sum(len(program.compiled) for program in programs), seconds, ended)


def _run_sequentially(study: Study, program: Program, tasks: Sequence[Task], signals: Signals, ended, say) -> None:
    for arm, seed in tasks:
        say(f"{arm.name} seed {seed}")
        with answering.may_end(None):
            outcome = attempt(study, arm, seed, lambda a=arm, s=seed: drive(start(study, program, a, s, signals)))
        ended[outcome] += 1
        stop_if_asked(study, signals)


def attempt(study: Study, arm: Arm, seed: int, function: Callable[[], object]) -> str:
    """Do it; "complete", or "failed" where the run broke down in a way that is its own, which is recorded; "skipped"
    where another process was faster."""
    try:
        function()
    except Diverged as error:
        record_failure(study, arm, seed, "diverged", str(error))
        return "failed"
    except UserError as error:  # of this run's folder: no other run is kept from going on
        if isinstance(error, SystemFault):
            raise
        return refuse(study, arm, seed, str(error))
    except (MemoryError, jax.errors.JaxRuntimeError) as error:
        if not out_of_memory(error):
            raise
        record_failure(study, arm, seed, "out of memory", str(error).splitlines()[0] if str(error) else "")
        return "failed"
    study.failure_file(arm, seed).unlink(missing_ok=True)  # of an earlier try
    return "complete"
