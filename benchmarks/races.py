"""A race: an experiment of this project against its PyTorch peer, in turns, and what came of it.

Sides are processes that wait asleep for their turn (see `protocol`). After a warm-up each side runs the same number of
rounds once a repeat; the figures are medians over the repeats. The peer's better way (eager or compiled) counts.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from benchmarks.protocol import Worker


class Race(NamedTuple):
    """Two descriptions of one piece of work. `bar`: the ratio of times, ours to PyTorch's, that the project aims at."""

    name: str
    title: str
    experiment: str
    settings: dict[str, Any]
    peer: str  # module.function under benchmarks/peers
    peer_settings: dict[str, Any]
    bar: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Options:
    """How to race."""

    repeats: int
    seconds: float  # a turn lasts about this long, and one round at least
    cpus: list[int]
    torch_python: str | None  # the interpreter that has PyTorch; None: this side alone
    ways: tuple[str, ...] = ("eager", "compiled")
    device: str = "cpu"
    together: bool = False  # the peer's ways get ready at the same time: faster, but their compile times mix
    ours: dict[str, Any] = field(default_factory=dict)  # settings on top of the case's own
    peers: dict[str, Any] = field(default_factory=dict)
    spec: dict[str, Any] = field(default_factory=dict)  # more for both workers: bfloat16, tf32
    say: Callable[[str], None] = print


class Side(NamedTuple):
    """One side's result: median seconds a round, all turns, and what it said when ready."""

    name: str
    seconds: float
    turns: list[float]
    peak_mib: float
    facts: dict[str, Any]


class Outcome(NamedTuple):
    race: Race
    sides: list[Side]  # ours first
    failures: dict[str, str]  # way of the peer -> why it could not run

    @property
    def best_peer(self) -> Side | None:
        return min(self.sides[1:], key=lambda side: side.seconds, default=None)

    @property
    def ratio(self) -> float | None:
        """Ours to the better peer; under 1 is faster than PyTorch."""
        return self.sides[0].seconds / self.best_peer.seconds if self.best_peer else None

    @property
    def peak_rate(self) -> float:
        """The machine's matrix-product rate, FLOP/s: the best that any side reached."""
        return max(side.facts["matmul"] for side in self.sides)


def run(race: Race, options: Options) -> Outcome:
    """Hold the race. RuntimeError if our side fails or the two sides' parameters differ in number."""
    import sys

    workers: dict[str, Worker] = {}
    failures: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        data = str(Path(folder) / "data.npz")
        common = {"data": data, **options.spec}
        try:
            ours = {"experiment": race.experiment, "settings": race.settings | options.ours}
            workers["gen_jax"] = Worker(sys.executable, "benchmarks.ours", common | ours, options.cpus)
            started: dict[str, Worker] = {}
            for way in options.ways if options.torch_python else ():
                theirs = {"peer": race.peer, "settings": race.peer_settings | options.peers, "way": way}
                spec = common | theirs | {"device": options.device}
                python = options.torch_python or ""
                started[way] = Worker(python, "benchmarks.peers.worker", spec, options.cpus, wait=False)
                if not options.together:
                    get_ready(race, way, started, workers, failures, options)
            for way in list(started):
                get_ready(race, way, started, workers, failures, options)
            check_parameters(race, workers)
            turns = take_turns(workers, options)
            sides = [
                Side(name, median(turns[name]), turns[name], worker.end(), worker.facts)
                for name, worker in workers.items()
            ]
        finally:
            for worker in workers.values():
                worker.kill()
    return Outcome(race, sides, failures)


def get_ready(
    race: Race,
    way: str,
    started: dict[str, Worker],
    workers: dict[str, Worker],
    failures: dict[str, str],
    options: Options,
) -> None:
    """Wait for one that was started; it joins the workers, or the failures."""
    worker = started.pop(way)
    try:
        workers[way] = worker.ready()
    except RuntimeError as error:
        failures[way] = str(error).strip().splitlines()[-1]
        options.say(f"  {race.name}: PyTorch {way} cannot run: {failures[way]}")


def check_parameters(race: Race, workers: dict[str, Worker]) -> None:
    counts = {name: worker.facts["parameters"] for name, worker in workers.items()}
    if any(found != counts["gen_jax"] for found in counts.values()):
        raise RuntimeError(f"{race.name}: the sides are different networks, by number of parameters: {counts}")


def take_turns(workers: dict[str, Worker], options: Options) -> dict[str, list[float]]:
    """Seconds a round of every turn of every side. All run the same number of rounds."""
    slowest = max(worker.run(1) for worker in workers.values())  # the first round of some is a warm-up still
    slowest = max(worker.run(1) for worker in workers.values()) if slowest < options.seconds else slowest
    count = max(1, round(options.seconds / slowest))
    turns: dict[str, list[float]] = {name: [] for name in workers}
    for _ in range(options.repeats):
        for name, worker in workers.items():
            turns[name].append(worker.run(count) / count)
    return turns
