"""What the statistics behind the diagnosis cost: training rounds with them against the same rounds without, in pairs.

    python benchmarks/diagnosis.py [--repeats 15] [--rounds 50] [--only dcgan]

Both variants are compiled in one process and alternate, call by call, in an order that changes; each call is as many
rounds as lie between two probes, so it holds one. Seconds are processor time (on a busy machine the clock measures the
others), medians over calls; the ratio is the median of the pairs' ratios, with its quartiles, and beside it that of the
two fastest calls, which neighbours have disturbed least. "Observing" is what an
evaluation step adds on the host, beside 500 rounds: `evaluate_every` of every experiment.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median, quantiles
from types import SimpleNamespace
from typing import Any

import jax
import tyro

from gen_jax.core import parallel
from gen_jax.core.platform import configure
from gen_jax.core.types import Algorithm
from gen_jax.data import load
from gen_jax.data.source import Source
from gen_jax.objectives import statistics
from gen_jax.runs import feeding, train
from gen_jax.runs.config import Config
from gen_jax.runs.watching import heldout, observe

ROOT = Path(__file__).parents[1]
EVALUATE_EVERY = 500


@dataclass(frozen=True)
class Settings:
    repeats: int = 15
    rounds: int = 50  # in a call: what lies between two probes
    only: tuple[str, ...] = ()  # of the cases


CASES = {  # name: (experiment, settings that differ from its own)
    "dcgan": ("dcgan", {"width": 32}),
    "gan": ("gan", {}),
    "vae": ("vae", {}),
    "iwae": ("iwae", {"samples": 1}),
}


def main(settings: Settings) -> None:
    configure()
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{jax.devices()[0].platform}, {settings.rounds} rounds a call, {settings.repeats} pairs")
    for column in (
        "case",
        "without (ms a round)",
        "with",
        "ratio",
        "quartiles",
        "of the fastest",
        "observing (s)",
        "of 500 rounds",
    ):
        table.add_column(column)
    for name, (experiment, changes) in CASES.items():
        if settings.only and name not in settings.only:
            continue
        table.add_row(name, *measure(experiment, changes, settings))
    Console().print(table)


def measure(experiment: str, changes: dict[str, Any], settings: Settings) -> list[str]:
    """The cells of one case."""
    sys.path.insert(0, str(ROOT))
    module: Any = __import__(f"experiments.{experiment}", fromlist=["Config"])
    config = replace(module.Config(), steps_per_call=settings.rounds, log_every=settings.rounds, **changes)
    source = load.load(config.data)
    calls = {"with": caller(module.build(config, source), source, config)}
    kept = statistics.of_logits, statistics.of_latents
    statistics.of_logits = statistics.of_latents = lambda *arrays: {}
    calls["without"] = caller(module.build(config, source)._replace(probe=None), source, config)
    statistics.of_logits, statistics.of_latents = kept

    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for repeat in range(settings.repeats):
        for name in sorted(calls, reverse=bool(repeat % 2)):
            seconds[name].append(timed(calls[name]))
    ratios = [a / b for a, b in zip(seconds["with"], seconds["without"], strict=True)]
    low, _, high = quantiles(ratios, n=4)
    without, given = (median(seconds[name]) / settings.rounds for name in ("without", "with"))
    look = observing(module.build(config, source), source)
    return [
        f"{1e3 * without:.2f}",
        f"{1e3 * given:.2f}",
        f"{median(ratios):.3f}",
        f"{low:.3f} to {high:.3f}",
        f"{min(seconds['with']) / min(seconds['without']):.3f}",
        f"{look:.2f}",
        f"{look / (EVALUATE_EVERY * without):.1%}",
    ]


def caller(algorithm: Algorithm, source: Source, config: Config) -> Callable[[], None]:
    """A function that runs `steps_per_call` rounds, compiled and warm; the state goes on from call to call."""
    where = parallel.layout("jit", 1)
    batches = feeding.make(source, config, algorithm.minibatches, where, 0)
    steps = train.steps_of(algorithm, batches, where, config)
    held = SimpleNamespace(state=parallel.place(jax.jit(algorithm.init)(jax.random.key(0)), where))
    count = parallel.place_count(config.steps_per_call, where)

    def call() -> None:
        held.state, metrics = steps(held.state, batches.data(0, config.steps_per_call), count)
        jax.block_until_ready((held.state, metrics))

    call()
    return call


def observing(algorithm: Algorithm, source: Source) -> float:
    """Seconds of one look at the samples, as evaluation steps take it, once everything is compiled."""
    state = jax.jit(algorithm.init)(jax.random.key(0))
    look = observe.observer(algorithm, source, 0, heldout.evaluator(algorithm, 0))
    look(state)
    return median(timed(lambda: look(state)) for _ in range(3))


def timed(function: Callable[[], Any]) -> float:
    """Seconds of processor time, of all threads."""
    began = time.process_time()
    function()
    return time.process_time() - began


if __name__ == "__main__":
    main(tyro.cli(Settings, description=__doc__))
