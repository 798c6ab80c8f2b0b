"""The training loop, the only one: it knows states, steps and files, and nothing of the model it runs."""

import contextlib
import dataclasses
import sys
import time
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gen_jax.core import parallel, platform, processes, turns, vigil
from gen_jax.core.connect import connect
from gen_jax.core.lines import counted, one_line, say
from gen_jax.core.players import count_parameters
from gen_jax.core.types import Algorithm, State
from gen_jax.data import load, reading
from gen_jax.data.source import Source
from gen_jax.runs import (
    answering,
    checkpoint,
    executing,
    feeding,
    folder,
    identity,
    log,
    manifest,
    opening,
    paths,
    recording,
    rehearsal,
    shared,
)
from gen_jax.runs import pace as paces
from gen_jax.runs.config import Config
from gen_jax.runs.exits import Diverged, Interrupted
from gen_jax.runs.settings import to_json
from gen_jax.runs.signals import Signals
from gen_jax.runs.watching.aside import aside
from gen_jax.runs.watching.events import Event, due, happen, rounds_until
from gen_jax.runs.watching.monitor import Monitor
from gen_jax.runs.watching.watch import Watch


class Request(NamedTuple):
    """What `training` asks of whoever drives it: run this, and send back (state, metrics)."""

    run: parallel.Steps
    state: State
    data: Any
    count: Any


STUDY_PATIENCE = 30.0  # seconds that a study waits for a worker of before, which is saving what it has
Training = Generator[Request, tuple[State, dict[str, jax.Array]], Path]


def train(config: Config, build: Callable[..., Algorithm], script: Path) -> Path:
    """Train the experiment in its run folder, from where the folder stands; returns the folder.

    Everything that can be wrong with the request is found before anything is written. Raises UserError for that,
    Diverged after `max_nonfinite` skipped steps in a row, Interrupted on SIGINT or SIGTERM (after a checkpoint).
    """
    with Signals() as signals, answering.Answers(signals) as answers:
        return drive(training(config, build, script, signals, answers=answers))


def drive(rounds: Training) -> Path:
    """Run what `training` asks for, to the end."""
    try:
        request = next(rounds)
        while True:
            request = rounds.send(request.run(request.state, request.data, request.count))
    except StopIteration as end:
        return end.value


def training(
    config: Config,
    build: Callable[..., Algorithm],
    script: Path,
    signals: Signals,
    source: Source | None = None,
    prepare: Callable[..., tuple[parallel.Steps, float]] | None = None,
    quiet: bool = False,
    answers: answering.Answers | None = None,
    pace: paces.Pace | None = None,
) -> Training:
    """The loop of `train`, without the running: it yields each compiled call, so that a study can run the calls of
    many runs as one. `source`: the data, where they are loaded already. `prepare`: in place of `compile_steps`.
    `quiet`: no progress and no closing line. `answers`: who answers signals at once.
    `pace`: how long calls are, where runs share them.
    """
    # ---- what was asked for ------------------------------------------------------------------------------------
    rehearsal.check(config)
    run_dir = config.run_dir or folder.default_run_dir(script, config)
    allowed, config = config.allow_changed, dataclasses.replace(paths.resolved(config), allow_changed=())
    continues = folder.check(run_dir, config, script)
    if source is None:
        source = load.of(config)
        if not quiet:
            say(reading.line(source))
    before = identity.last(folder.record(run_dir), run_dir) if continues else {}
    changed = identity.of_other_data(before, source, config.data, allowed, run_dir)
    where = parallel.layout(config.backend, config.devices, config.shard_state)
    if prepare is None:
        algorithm, template, traced = rehearsal.rehearse(config, build, source, where, script, new=not continues)
    else:  # of a study, which has rehearsed it
        algorithm = build(config, source)
        template, traced = jax.eval_shape(algorithm.init, jax.random.key(0)), None
    opened = opening.Opening(None if quiet else traced, where)
    code = executing.of(script)  # after the build, which may import
    if answers is not None:  # a run that was asked for by itself
        executing.own(code)
    changed += identity.of_other_code(before, code, allowed, run_dir, script)

    # ---- the state: new, or the newest sound checkpoint ----------------------------------------------------------
    key = jax.random.key(config.seed)
    of, leader = identity.of(source, config.data, code, to_json(config)), processes.leader()
    shared.agree(of, manifest.versions(), continues)
    watch = Watch(run_dir, config, algorithm, source)
    best, lower = watch.best
    connect(where)
    patience = STUDY_PATIENCE if quiet else 0.0
    # What several processes do, they do in one order; and of a state that is split nobody has room for a copy.
    threaded = platform.accelerated() and not processes.together() and not where.shards
    with (
        shared.begun(run_dir, lambda: folder.begin(run_dir, config, script, code, continues, patience)),
        checkpoint.open_checkpoints(
            run_dir, best_metric=best, lower_is_better=lower, writable=leader or where.shards, split=where.shards
        ) as checkpoints,
        aside(threaded) as beside,
    ):
        kept, counts = turns.by_leader(checkpoints.steps) if continues else [], count_parameters(template.params)
        if max(kept, default=0) < config.steps:
            opened.tell(run_dir, counts, max(kept, default=0))
        if kept:
            state, start = checkpoints.restore(template, sharding=where.of)
        else:
            with opened.compiling():
                state = parallel.initial(algorithm.init, key, where)
            state, start = state.replace(hyper=parallel.place(hyper_values(algorithm), where)), 0
        if where.shards:  # of which no process has the whole
            shared.same_state(start, lambda: checkpoints.digest(start) if kept else "")
        else:
            shared.same_state(start, lambda: checkpoint.digest(parallel.local(state)))
        if start >= config.steps:
            print(one_line(f"{run_dir} is complete at step {start}; raise --steps to train on"))
            return run_dir

        # ---- the folder, from here on ----------------------------------------------------------------------------
        if leader:
            folder.go_on(run_dir, config, code, start)
            manifest.start(run_dir, source, counts, where.backend, where.size, start, of, changed, anew=not continues)
            log.truncate_after(run_dir / log.FILE, start, log.rhythm(folder.record(run_dir), to_json(config)))
            vigil.at_the_end(partial(manifest.finish, run_dir, "failed"))
        if answers is not None:
            answers.nothing_is_lost = partial(_stopped_before_a_round, run_dir, start)

        # ---- one program ---------------------------------------------------------------------------------------
        batches = feeding.make(source, config, algorithm.minibatches, where, start)
        if threaded and not quiet:  # while the round is compiled, so is what looks at it
            beside.look(state, lambda state: watch.rehearse(state, config.evaluate_every > 0))
        with opened.compiling():
            run, seconds = (prepare or compile_steps)(algorithm, batches, where, config, state)
        opened.remember()
        processes.meet("compiled")
        if leader:
            spends = {} if algorithm.privacy is None else {"privacy": dict(algorithm.privacy)}
            manifest.update(run_dir, compile_seconds=seconds, **spends)
        diagnosis = Monitor(run_dir, start, quiet) if leader else None
        if not watch.shows_samples and not quiet:
            say("this model has no sampler 'prior': no sample grids")

        # ---- the loop ------------------------------------------------------------------------------------------
        status = "failed"
        if answers is not None:
            answers.nothing_is_lost = None
        try:
            images = config.batch_size * sum(algorithm.minibatches.values())
            told = {"quiet": quiet, "to": config.log, "settings": to_json(config)}
            opens = log.Log(run_dir, start, images, config.steps, **told) if leader else contextlib.nullcontext()
            with opens as lines:
                rows = _events(config, watch, diagnosis, checkpoints, lines)
                step, turn, pending = start, 0, None
                apart = where.shards and processes.together()  # no process has the whole: all save together
                pace = pace or paces.own(config.steps_per_call)
                most = pace.rounds
                if start == 0:
                    first = [Event((), lambda state, step: watch.picture(state, step), looks="the picture")]
                    beside.look(_view(state, apart), partial(happen, first, step=0))
                while step < config.steps:
                    count = min(most, rounds_until(rows, step, config.steps - step))
                    data = batches.data(step, count)
                    state, metrics = yield Request(run, state, data, parallel.place_count(count, where))
                    # The previous call's metrics are read while this one runs: the device never waits for the disk.
                    beside.do(recording.record, pending, config, lines)
                    jax.block_until_ready(pending and pending.metrics)  # one call ahead, no further
                    if pending:
                        pace.done(pending.rounds, run_dir)
                    pending = recording.Call(step, count, metrics)
                    step, turn = step + count, turn + 1
                    vigil.at(turn)
                    stop, most = shared.word(turn, signals, vigil.asked(), pace.rounds)
                    stopped = stop > 0 and step < config.steps
                    events = due(rows, step, last=step == config.steps, stopped=stopped)
                    if events:  # what is seen and kept follows what is logged; a state that has diverged is not kept
                        beside.do(recording.record, pending, config, lines)
                        view = _view(state, apart)
                        beside.look(view, partial(happen, events, step=step, state=state if apart else None))
                        del view  # the next call overwrites what it may share
                        pending = None
                        pace.begin()
                    if stopped:
                        beside.wait()
                        checkpoints.wait()
                        status = "stopped"
                        raise Interrupted(f"saved step {step} in {run_dir}; the same command continues", 128 + stop)
                beside.wait()
                checkpoints.wait()
                status = "complete"
        except Diverged as error:
            steps = checkpoints.steps()
            kept = (
                f"the checkpoint of step {steps[-1]} in {run_dir} is kept" if steps else "no checkpoint was due before"
            )
            signs = ""
            if diagnosis is not None:
                signs = "; ".join(finding.line(diagnosis.ground) for finding in diagnosis.check(tell=False).findings)
            raise Diverged(f"{error}; {kept}; diagnosis: {signs or 'no rule fired'}") from None
        finally:
            error = None if status == "complete" else sys.exception()
            if leader:
                manifest.finish(run_dir, status, str(error) if error else None)
                vigil.at_the_end(None)
        if not quiet:
            print(one_line(f"{run_dir}: {counted(config.steps, 'step')}; see {run_dir / 'samples'}"))
    return run_dir


def _view(state: State, apart: bool) -> State:
    """What is looked at. Of a state that no process has whole, not its largest part, the optimizer's."""
    return parallel.local(state.replace(opt={}) if apart else state)


def _stopped_before_a_round(run_dir: Path, start: int) -> str:
    """What a signal ends while the run is compiled, and there is nothing to save."""
    if processes.leader():
        manifest.finish(run_dir, "stopped", "before a round was done")
    return f"{run_dir} is at step {start}, no round was done since; the same command continues"


def _events(
    config: Config, watch: Watch, diagnosis: Monitor | None, checkpoints: checkpoint.Checkpoints, lines: Any
) -> tuple[Event, ...]:
    """What happens beside the rounds, in its order: a line of metrics is written before a rule looks at it."""
    seen = (config.evaluate_every, config.sample_every)
    return (
        Event(
            (config.evaluate_every,),
            lambda state, step: watch.evaluate(state, step, lines),
            at_the_end=config.evaluate_every > 0,
            looks="the evaluation",
            everywhere=True,
        ),
        Event((config.sample_every,), lambda state, step: watch.show(state, step, lines), looks="the picture"),
        Event(seen, lambda state, step: diagnosis and diagnosis.check(), when_stopped=True, looks="the diagnosis"),
        Event(
            (config.checkpoint_every,),
            lambda state, step: checkpoints.save(state, step, watch.measured(step)),
            when_stopped=True,
            everywhere=checkpoints.split,
            keeps=True,
        ),
    )


def compile_steps(
    algorithm: Algorithm, batches: feeding.Feed, where: parallel.Layout, config: Config, state: State
) -> tuple[parallel.Steps, float]:
    """The program, compiled ahead: it cannot compile again, and its compile time is known apart from its run time."""
    steps = steps_of(algorithm, batches, where, config)
    began = time.perf_counter()
    compiled = steps.lower(state, batches.example(), parallel.place_count(1, where)).compile()  # pyright: ignore
    return compiled, time.perf_counter() - began


def steps_of(algorithm: Algorithm, batches: feeding.Feed, where: parallel.Layout, config: Config) -> parallel.Steps:
    """The program of a run, with the model's probe in it where there is one."""
    probe = parallel.Probe(recording.probe_every(config), algorithm.probe) if algorithm.probe else None
    return parallel.many_steps(algorithm.update, batches.fetch, where, config.steps_per_call, batches.streamed, probe)


def hyper_values(algorithm: Algorithm) -> dict[str, jax.Array]:
    """The initial scalars as arrays. They are set beside `init`, which is thereby one program for all values."""
    return {name: jnp.float32(value) for name, value in algorithm.hyper.items()}
