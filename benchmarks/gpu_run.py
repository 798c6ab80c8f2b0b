"""How much of a default run of dcgan is not its program: `python -m benchmarks.gpu_run '{"folder": "runs/x"}'`.

Prints one line of JSON: steps, milliseconds a round in the program alone, seconds from the first call to the end of the
run with its last checkpoint on the disk, the share of these that is outside the program, seconds before the first call,
and the seconds that each event took by name.
"""

import dataclasses
import json
import sys
import time
from pathlib import Path
from typing import Any

import jax

from benchmarks.protocol import ROOT
from gen_jax.core.platform import configure
from gen_jax.runs import train
from gen_jax.runs.signals import Signals
from gen_jax.studies.study import load_script


def timed(took: dict[str, list[float]]) -> None:
    """Have the seconds of each event of the next run written down."""
    made = train._events

    def events(*arguments: Any) -> tuple:
        return tuple(event._replace(do=clocked(event)) for event in made(*arguments))

    def clocked(event: Any) -> Any:
        def do(state: Any, step: int) -> None:
            began = time.perf_counter()
            event.do(state, step)
            took.setdefault(event.looks or "the checkpoint", []).append(round(time.perf_counter() - began, 3))

        return do

    train._events = events


def main() -> None:
    spec = json.loads(sys.argv[1])
    configure()
    took: dict[str, list[float]] = {}
    timed(took)
    script = ROOT / "experiments" / "dcgan.py"
    config_type, build = load_script(script)
    config = dataclasses.replace(config_type(), run_dir=Path(spec["folder"]), devices=1, **spec.get("settings", {}))
    entered = time.perf_counter()
    with Signals() as signals:
        rounds = train.training(config, build, script, signals)
        request: train.Request = next(rounds)
        began, last = time.perf_counter(), request
        state = request.state
        try:
            while True:
                state, metrics = request.run(request.state, request.data, request.count)
                last, request = request, rounds.send((state, metrics))
        except StopIteration:
            ended = time.perf_counter()
    # The last call again, as often as half a second holds: the state that came out of it is still ours.
    turns, calls = [], 0
    while calls < 3 or sum(turns) < 0.5:
        start = time.perf_counter()
        state, _ = jax.block_until_ready(last.run(state, last.data, last.count))
        turns.append(time.perf_counter() - start)
        calls += 1
    a_round = sum(turns) / calls / int(last.count)
    outside = 1 - config.steps * a_round / (ended - began)
    found = {"steps": config.steps, "round_ms": 1e3 * a_round, "seconds": ended - began, "outside": outside}
    print(json.dumps(found | {"before": began - entered, "events": took}))


if __name__ == "__main__":
    main()
