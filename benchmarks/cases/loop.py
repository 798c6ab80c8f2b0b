"""What a run costs outside its compiled program: logging, sample grids, checkpoints.

A real run through `runs.train`, each compiled call waited for, so that whatever the host does between two calls counts
in full; in training, logging overlaps the next call. Sample grids and checkpoints are timed one by one: a checkpoint
until training may go on, and until it is on the disk.
"""

import tempfile
import time
from pathlib import Path
from statistics import median

import jax

from benchmarks import ours, protocol
from gen_jax.core.types import weights
from gen_jax.runs import checkpoint, settings, train
from gen_jax.runs.watching import pictures
from gen_jax.studies.study import load_script

TITLE = "Time outside the compiled program"
EXPERIMENTS = {
    "DCGAN 28×28, width 64, batch 64": ("dcgan", {"share_fakes": True}),
    "MLP VAE, batch 20": ("iwae", {"samples": 1, "bound": "ELBO"}),
}
EVERY = {"log_every": 100, "sample_every": 1000, "checkpoint_every": 1000}


SECONDS, FEWEST, MOST = 10.0, 4, 200  # a run lasts about so long, and between so many calls


def outside(experiment: str, chosen: dict) -> tuple[float, float, int]:
    """(seconds in calls, seconds between them, rounds) of a run that logs every 100 rounds and does nothing else."""
    script = protocol.ROOT / "experiments" / f"{experiment}.py"
    config_type, build = load_script(script)
    per_call = 50
    with tempfile.TemporaryDirectory() as folder:
        own = {"run_dir": str(Path(folder) / "run"), "steps": per_call * (MOST + 2), "steps_per_call": per_call}
        own |= {"log_every": 100, "sample_every": 0, "checkpoint_every": 0, "evaluate_every": 0}
        config = settings.from_json(config_type, ours.merged(settings.to_json(config_type()), chosen | own))
        with train.Signals() as signals:
            rounds = train.training(config, build, script, signals, quiet=True)
            request = next(rounds)
            inside = between = 0.0
            calls = -1  # the first one warms up
            while calls < FEWEST or (calls < MOST and inside < SECONDS):
                began = time.perf_counter()
                reply = jax.block_until_ready(request.run(request.state, request.data, request.count))
                done = time.perf_counter()
                request = rounds.send(reply)
                calls += 1
                if calls:
                    inside += done - began
                    between += time.perf_counter() - done
            rounds.close()
    return inside, between, per_call * calls


def one_by_one(experiment: str, chosen: dict, repeats: int) -> tuple[float, float, float]:
    """(seconds of a sample grid, of a checkpoint until training goes on, of it until it is on the disk)."""
    model = ours.build(experiment, chosen)
    draw = pictures.sampler(model.algorithm, model.source, 0)
    grids, handed, saves = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        run_dir = Path(folder)
        with checkpoint.open_checkpoints(run_dir) as checkpoints:
            for number in range(repeats + 1):
                began = time.perf_counter()
                pictures.save_samples(run_dir, number, jax.device_get(draw(weights(model.state))), model.source)
                grids.append(time.perf_counter() - began)
                began = time.perf_counter()
                checkpoints.save(model.state, number + 1)
                handed.append(time.perf_counter() - began)
                checkpoints.wait()
                saves.append(time.perf_counter() - began)
    return median(grids[1:]), median(handed[1:]), median(saves[1:])


def measure(spec: dict) -> dict:
    rows = []
    for name, (experiment, chosen) in EXPERIMENTS.items():
        inside, between, count = outside(experiment, chosen)
        grid, handed, save = one_by_one(experiment, chosen, spec["repeats"])
        a_round = inside / count
        rows.append(
            [
                name,
                f"{1e3 * a_round:.2f}",
                f"{between / (inside + between):.2%}",
                f"{1e3 * grid:.0f} ms, {grid / (EVERY['sample_every'] * a_round):.2%}",
                f"{1e3 * handed:.0f} ms, {handed / (EVERY['checkpoint_every'] * a_round):.2%}",
                f"{1e3 * save:.0f} ms, {save / (EVERY['checkpoint_every'] * a_round):.2%}",
            ]
        )
    columns = [
        "run",
        "ms a round",
        "between calls of 50, a log line every 100",
        "sample grid every 1,000",
        "checkpoint every 1,000: training waits",
        "until it is on the disk",
    ]
    notes = ["Shares of the run's time. Calls are waited for, so whatever lies between them counts in full."]
    notes += ["A checkpoint is written while training goes on: it costs the first share, and at most the second."]
    return {"columns": columns, "rows": rows, "notes": notes}
