"""What a study costs beside its runs' stepping: 2 × 3 arms × 4 seeds of the MLP GAN on digits, 500 steps each.

    python benchmarks/ablation.py                    # about four minutes of one core
    python benchmarks/ablation.py --steps 100 --seeds 2

The bar: all of it (24 folders, checkpoints, grids, evaluations, tables, report) within 1.15 × 24 × the stepping of one
run alone, plus one compilation for each structure. Times are by the clock, since writing and computing overlap, so the
machine should be idle; the run alone is timed between the study's runs. The persistent cache of programs is off.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np
import tyro

from gen_jax.core import parallel
from gen_jax.core.platform import configure
from gen_jax.runs import feeding
from gen_jax.runs.train import compile_steps
from gen_jax.studies import ablation, plan, program, study

SCRIPT = Path(__file__).parents[1] / "experiments" / "gan.py"
GRID = {"loss": ["non_saturating", "hinge"], "hyper.lr_discriminator": [1e-4, 2e-4, 4e-4]}
BAR = 1.15
EVERY = 4  # runs of the study to one alone


@dataclass(frozen=True)
class Config:
    steps: int = 500
    seeds: int = 4


def stepper(steps: int) -> Callable[[], float]:
    """A function that runs the steps of one run, without its files, and says how many seconds they took."""
    config_type, build = study.load_script(SCRIPT)
    config = plan.replace(config_type(), {"data": "digits", "steps": steps})
    source = program.source_of(config, {})
    algorithm, where = build(config, source), parallel.layout("jit", 1)
    batches = feeding.make(source, config, algorithm.minibatches, where, 0)
    init = jax.jit(algorithm.init)
    run, _ = compile_steps(algorithm, batches, where, config, init(jax.random.key(0)))

    def once() -> float:
        state, began = init(jax.random.key(0)), time.perf_counter()
        for start in range(0, steps, config.steps_per_call):
            count = min(config.steps_per_call, steps - start)
            state, _ = run(state, batches.data(start, count), parallel.place_count(count, where))
        jax.block_until_ready(state)
        return time.perf_counter() - began

    once()
    return once


def main(config: Config) -> None:
    configure()
    jax.config.update("jax_enable_compilation_cache", False)
    once = stepper(config.steps)
    compilations: list[float] = []
    alone: list[float] = []
    started = 0

    def timed(*arguments):
        began = time.perf_counter()
        result = compile_steps(*arguments)
        compilations.append(time.perf_counter() - began)
        return result

    def between(line: str) -> None:
        nonlocal started
        if " seed " in line and "\n" not in line:  # a run starts
            if started % EVERY == 0:
                alone.append(once())
            started += 1

    program.compile_steps = timed
    with tempfile.TemporaryDirectory() as folder:
        asked = ablation.Ablation(
            experiment=SCRIPT,
            study_dir=Path(folder) / "study",
            grid=GRID,
            seeds=config.seeds,
            settings={"data": "digits", "steps": config.steps},
        )
        began = time.perf_counter()
        ablation.run(asked, between)
        whole = time.perf_counter() - began - sum(alone)
    runs, mean = 6 * config.seeds, float(np.mean(alone))
    ratio = (whole - sum(compilations)) / (runs * mean)
    print(
        f"one run alone: {mean:.2f} s of stepping ({1000 * mean / config.steps:.2f} ms a step; {len(alone)} times, "
        f"{min(alone):.2f} to {max(alone):.2f} s)"
    )
    print(f"{started} runs: {whole:.1f} s, of which {len(compilations)} compilations {sum(compilations):.1f} s")
    print(f"without the compilations {ratio:.3f} × {runs} × the stepping of one; the bar is {BAR}")


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
