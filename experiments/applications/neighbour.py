"""A GAN and a VAE beside what people use today: flow matching, at equal training time and at equal evaluations.

    python experiments/applications/neighbour.py                                              # mnist5k, 60 s each
    python experiments/applications/neighbour.py --data tfds:fashion_mnist --data-dir DIR --seconds 20 --seeds 3
    python experiments/applications/neighbour.py --seconds 2 --samples 100                    # a glance

Each model is an experiment with its defaults (experiments/dcgan.py, conv_vae.py, flow_matching.py) and trains for as
many seconds as the others on this machine, compilation apart; they take turns, so that a machine that others use
slows all alike. A sample of a GAN or a VAE is one evaluation of a network, one of flow matching as many as its solver
takes. FD-LeNet (as many samples for all) and milliseconds a sample are in one table.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import jax
import numpy as np

import gen_jax
from gen_jax.core.domains import Count, Interval, Positive, Seeds, Size
from gen_jax.core.types import weights
from gen_jax.runs import folder
from gen_jax.runs.evaluation import samplers
from gen_jax.studies import measures, papers

NAME = "neighbour"
TURNS = 2  # in which the models share the time
TIMED = 200  # samples of a draw whose time is taken
TITLES = {"dcgan": "DCGAN", "conv_vae": "convolutional VAE", "flow_matching": "flow matching"}
SAMPLERS = {"dcgan": ("prior",), "conv_vae": ("prior",)}


@dataclass(frozen=True, kw_only=True)
class Config:
    data: str = "mnist5k"
    data_dir: Path | None = None
    """where TFDS data sets are"""
    models: tuple[str, ...] = tuple(TITLES)
    """scripts of experiments/"""
    seconds: Positive = 60.0
    """of training, for each run"""
    seeds: Seeds = 1
    probe: Count = 100
    """rounds by which a model's speed is first known; 3000 on a GPU"""
    batch_size: Size = 64
    solvers: tuple[str, ...] = ("euler:1", "euler:4", "euler:10", "heun:10", "heun:50")
    """of flow matching, with the evaluations of the network"""
    samples: Annotated[int, Interval(64, 1_000_000)] = 10_000
    """drawn of each run, for FD-LeNet"""
    study_dir: Path = Path("studies/applications/neighbour")
    out: Path | None = None
    """a Markdown file whose section becomes the table, such as docs/applications.md"""


def place(config: Config, model: str, seed: int) -> Path:
    return config.study_dir / f"{model}-seed{seed}"


def spent(run: Path) -> float:
    """Seconds of stepping, over all sittings, without compilation."""
    sittings = (folder.record(run) or {}).get("sittings", [])
    return sum(sitting.get("run_seconds") or 0.0 for sitting in sittings)


def trained(config: Config, model: str, seed: int, seconds: float) -> None:
    """The run, brought to so many seconds of training (or a tenth less)."""
    run = place(config, model, seed)
    settings: dict[str, Any] = {
        "data": config.data, "seed": seed, "batch_size": config.batch_size, "log_every": 1000,
        "sample_every": 0, "evaluate_every": 0, "checkpoint_every": 0,
    }  # fmt: skip
    if config.data_dir is not None:
        settings["data_dir"] = str(config.data_dir)
    steps = int(folder.read_config(run)["steps"]) if (run / "config.json").exists() else 0
    while (done := spent(run) if steps else 0.0) < 0.9 * seconds:
        steps += max(1, int(steps * (seconds - done) / done)) if done else config.probe
        gen_jax.train(papers.experiments() / f"{model}.py", {**settings, "steps": steps}, run_dir=run)


def measured(config: Config, model: str, seed: int) -> list[dict[str, Any]]:
    """A row a sampler: FD-LeNet and milliseconds a sample."""
    run = place(config, model, seed)
    opened = measures.open_trained(run)
    rows = []
    for sampler in SAMPLERS.get(model, config.solvers):
        found = measures.measured(opened, "fd", samples=config.samples, sampler=sampler)
        drawn = _timed(opened, sampler)
        evaluations = int(sampler.rpartition(":")[2]) if ":" in sampler else 1
        score = next(iter(found.values()))["value"]
        rows.append({"sampler": sampler, "evaluations": evaluations, "fd": score, "drawing": drawn,
                     "steps": opened.step, "seconds": spent(run)})  # fmt: skip
        print(f"{model} seed {seed} {sampler}: FD-LeNet {score:.2f}, {opened.step:,} steps", flush=True)
    return rows


def _timed(opened: measures.Trained, sampler: str) -> float:
    """Milliseconds a sample, in batches of `TIMED`; the median of three after compilation."""
    asked = samplers.read(sampler, opened.algorithm)
    draw = jax.jit(partial(opened.algorithm.samplers[asked.name].draw, **asked.options), static_argnums=2)
    view, taken = weights(opened.state), []
    for _ in range(4):
        began = time.perf_counter()
        jax.block_until_ready(draw(view, jax.random.key(0), TIMED))
        taken.append(time.perf_counter() - began)
    return 1000 * float(np.median(taken[1:])) / TIMED


def section(config: Config, found: Mapping[str, Sequence[Sequence[Mapping[str, Any]]]]) -> str:
    """Markdown: all models and samplers in one table."""
    head = "| model | sampler | evaluations a sample | FD-LeNet | ms a sample | training, s | steps |"
    lines = ["### A GAN and a VAE beside flow matching", "", head, "| --- | --- |" + " ---: |" * 5]
    for model, runs in found.items():
        for rows in zip(*runs, strict=True):
            first = rows[0]
            cells = [
                TITLES.get(model, model), first["sampler"], str(first["evaluations"]),
                papers.spread([row["fd"] for row in rows], 1), f"{np.mean([row['drawing'] for row in rows]):.3f}",
                f"{np.mean([row['seconds'] for row in rows]):.0f}", f"{np.mean([row['steps'] for row in rows]):,.0f}",
            ]  # fmt: skip
            lines.append("| " + " | ".join(cells) + " |")
    said = papers.command("applications/neighbour.py")
    return "\n".join([
        *lines, "",
        f"- {config.data}, {config.seeds} {'seed' if config.seeds == 1 else 'seeds'}, mean ± half of the 95 % "
        f"interval; batches of {config.batch_size}, the defaults of each script; {config.samples:,} samples, averaged "
        "weights where a script averages, the last step; steps and drawing times are means.",
        f"- `{said}` on {papers.hardware()}.", "",
    ])  # fmt: skip


def main(config: Config) -> None:
    papers.need_page(config.out)
    found: dict[str, list[list[dict[str, Any]]]] = {model: [] for model in config.models}
    text = ""
    for seed in range(config.seeds):
        for turn in range(1, TURNS + 1):
            for model in config.models:
                trained(config, model, seed, config.seconds * turn / TURNS)
        for model in config.models:
            found[model].append(measured(config, model, seed))
        text = section(config, found)
        papers.write_section(config.out, NAME, text)  # after each seed, with those that there are
    print(f"\n{text}")


if __name__ == "__main__":
    papers.run(Config, main, __doc__)
