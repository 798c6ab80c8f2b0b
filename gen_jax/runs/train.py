"""The training loop, the only one: it knows states, steps and files, and nothing of the model it runs."""

import signal
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gen_jax.core import parallel
from gen_jax.core.players import count_parameters
from gen_jax.core.types import Algorithm, State
from gen_jax.data import load
from gen_jax.data.source import Source
from gen_jax.runs import checkpoint, feeding, folder, log, manifest, trust
from gen_jax.runs.config import Config
from gen_jax.runs.exits import Diverged, Interrupted
from gen_jax.runs.files import atomic_write_text
from gen_jax.runs.watching.events import Event, due, rounds_until
from gen_jax.runs.watching.monitor import Monitor
from gen_jax.runs.watching.watch import Watch


class _Call(NamedTuple):
    """One compiled call whose metrics have not been read yet."""

    start: int
    rounds: int
    metrics: dict[str, jax.Array]


class Request(NamedTuple):
    """What `training` asks of whoever drives it: run this, and send back (state, metrics)."""

    run: parallel.Steps
    state: State
    data: Any
    count: Any


PROBE_STEPS = 50  # between two probes, at least: one costs about half a round
Training = Generator[Request, tuple[State, dict[str, jax.Array]], Path]


def train(config: Config, build: Callable[..., Algorithm], script: Path) -> Path:
    """Train the experiment in its run folder, from where the folder stands; returns the folder.

    Everything that can be wrong with the request is found before anything is written. Raises UserError for that,
    Diverged after `max_nonfinite` skipped steps in a row, Interrupted on SIGINT or SIGTERM (after a checkpoint).
    """
    trust.record([script])  # who runs it here may open its run here
    with Signals() as signals:
        return drive(training(config, build, script, signals))


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
    signals: "Signals",
    source: Source | None = None,
    prepare: Callable[..., tuple[parallel.Steps, float]] | None = None,
    quiet: bool = False,
) -> Training:
    """The loop of `train`, without the running: it yields each compiled call, so that a study can run the calls of
    many runs as one. `source`: the data, where they are loaded already. `prepare`: in place of `compile_steps`.
    `quiet`: no progress and no closing line.
    """
    # ---- what was asked for ------------------------------------------------------------------------------------
    run_dir = config.run_dir or folder.default_run_dir(script, config)
    continues = folder.check(run_dir, config, script)
    if source is None:
        source = load.of(config)
    where = parallel.layout(config.backend, config.devices)
    algorithm = build(config, source)
    feeding.check(source, config.batch_size, algorithm.minibatches, where.size)
    watch = Watch(run_dir, config, algorithm, source)

    # ---- the state: new, or the newest sound checkpoint ----------------------------------------------------------
    key = jax.random.key(config.seed)
    template = jax.eval_shape(algorithm.init, key)
    if not continues and prepare is None:  # a round that cannot be traced, or a hyper that nothing reads
        jax.eval_shape(algorithm.update, template, feeding.shapes(source, config.batch_size, algorithm.minibatches))
    run_dir.mkdir(parents=True, exist_ok=True)
    best, lower = watch.best
    with (
        folder.claim(run_dir),
        checkpoint.open_checkpoints(run_dir, best_metric=best, lower_is_better=lower) as checkpoints,
    ):
        if continues and checkpoints.steps():
            state, start = checkpoints.restore(template, sharding=where.replicated)
        else:
            state = jax.jit(algorithm.init)(key).replace(hyper=hyper_values(algorithm))
            state, start = parallel.place(state, where), 0
        if start >= config.steps:
            print(f"{run_dir} is complete at step {start}; raise --steps to train on")
            return run_dir

        # ---- the folder, from here on ----------------------------------------------------------------------------
        folder.write_config(run_dir, config)
        if not continues:
            atomic_write_text(run_dir / "experiment.py", script.read_text())
        manifest.start(run_dir, source, count_parameters(template.params), where.backend, where.size, start)
        log.truncate_after(run_dir / log.FILE, start, (config.log_every, config.evaluate_every))

        # ---- one program ---------------------------------------------------------------------------------------
        batches = feeding.make(source, config, algorithm.minibatches, where, start)
        run, seconds = (prepare or compile_steps)(algorithm, batches, where, config, state)
        manifest.update(run_dir, compile_seconds=seconds)
        diagnosis = Monitor(run_dir, start, quiet)
        if not watch.shows_samples and not quiet:
            print("this model has no sampler 'prior': no sample grids", file=sys.stderr)

        # ---- the loop ------------------------------------------------------------------------------------------
        status = "failed"
        try:
            images = config.batch_size * algorithm.minibatches.get("train", 0)
            with log.Log(run_dir, start, images, config.steps, quiet=quiet) as lines:
                rows = _events(config, watch, diagnosis, checkpoints, lines)
                step, pending = start, None
                if start == 0:
                    watch.picture(state, 0)
                while step < config.steps:
                    count = min(config.steps_per_call, rounds_until(rows, step, config.steps - step))
                    data = batches.data(step, count)
                    state, metrics = yield Request(run, state, data, parallel.place_count(count, where))
                    # The previous call's metrics are read while this one runs: the device never waits for the disk.
                    _record(pending, config, lines)
                    pending = _Call(step, count, metrics)
                    step += count
                    stopped = signals.received is not None and step < config.steps
                    events = due(rows, step, last=step == config.steps, stopped=stopped)
                    if events:  # what is seen and kept follows what is logged; a state that has diverged is not kept
                        pending = _record(pending, config, lines)
                    for event in events:
                        event.do(state, step)
                    if stopped:
                        checkpoints.wait()
                        status = "stopped"
                        raise Interrupted(f"saved step {step} in {run_dir}; the same command continues", signals.status)
                checkpoints.wait()
                status = "complete"
        except Diverged as error:
            steps = checkpoints.steps()
            kept = (
                f"the checkpoint of step {steps[-1]} in {run_dir} is kept" if steps else "no checkpoint was due before"
            )
            signs = "; ".join(finding.line for finding in diagnosis.check(tell=False).findings)
            raise Diverged(f"{error}; {kept}; diagnosis: {signs or 'no rule fired'}") from None
        finally:
            error = None if status == "complete" else sys.exception()
            manifest.finish(run_dir, status, str(error) if error else None)
        if not quiet:
            print(f"{run_dir}: {config.steps} steps; see {run_dir / 'samples'}")
    return run_dir


def _events(
    config: Config, watch: Watch, diagnosis: Monitor, checkpoints: checkpoint.Checkpoints, lines: log.Log
) -> tuple[Event, ...]:
    """What happens beside the rounds, in its order: a line of metrics is written before a rule looks at it."""
    seen = (config.evaluate_every, config.sample_every)
    return (
        Event(
            (config.evaluate_every,),
            lambda state, step: watch.evaluate(state, step, lines),
            at_the_end=config.evaluate_every > 0,
        ),
        Event((config.sample_every,), lambda state, step: watch.show(state, step, lines)),
        Event(seen, lambda state, step: diagnosis.check(), when_stopped=True),
        Event(
            (config.checkpoint_every,),
            lambda state, step: checkpoints.save(state, step, watch.measured(step)),
            when_stopped=True,
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
    probe = parallel.Probe(_probe_every(config), algorithm.probe) if algorithm.probe else None
    return parallel.many_steps(algorithm.update, batches.fetch, where, config.steps_per_call, batches.streamed, probe)


def _probe_every(config: Config) -> int:
    """Steps between two probes: every logged one, but not so many that they show in the run's time."""
    return -(-PROBE_STEPS // config.log_every) * config.log_every


def hyper_values(algorithm: Algorithm) -> dict[str, jax.Array]:
    """The initial scalars as arrays. They are set beside `init`, which is thereby one program for all values."""
    return {name: jnp.float32(value) for name, value in algorithm.hyper.items()}


def _record(call: _Call | None, config: Config, lines: log.Log) -> None:
    """Write the lines that fall into a call, and raise Diverged where too many steps in a row were not finite."""
    if call is None:
        return
    metrics = {name: np.asarray(values) for name, values in call.metrics.items()}
    probed = {name: metrics.pop(name) for name in list(metrics) if name.startswith(parallel.PROBED)}
    for position in range(call.rounds):
        step = call.start + position + 1
        if step % config.log_every == 0 or step == config.steps:
            seen = {name: float(values[position]) for name, values in metrics.items()}
            if step % _probe_every(config) == 0:
                seen |= {name.removeprefix(parallel.PROBED): float(v[position]) for name, v in probed.items()}
            lines.write(step, seen)
    lines.advance(call.start + call.rounds, {name: float(v[call.rounds - 1]) for name, v in metrics.items()})
    row = metrics["nonfinite/in_a_row"][: call.rounds]
    if row.max() >= config.max_nonfinite:
        worst = [name for name, values in metrics.items() if not np.isfinite(values[: call.rounds]).all()]
        raise Diverged(
            f"{int(row.max())} steps in a row were not finite by step {call.start + call.rounds} "
            f"(not finite: {', '.join(worst)})"
        )


class Signals:
    """Ctrl-C and SIGTERM ask for a checkpoint; a second one ends the process at once."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    @property
    def status(self) -> int:
        return 128 + (self.received or 0)

    def __enter__(self) -> "Signals":
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._receive)
        return self

    def _receive(self, number: int, frame: Any) -> None:
        self.received = number
        signal.signal(number, signal.SIG_DFL)

    def __exit__(self, *error: Any) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
