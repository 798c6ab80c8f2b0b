"""What a study costs beside its runs' stepping: 2 × 3 arms × 4 seeds of the MLP GAN on digits, 500 steps each.

    python benchmarks/ablation.py                    # about four minutes of one core
    python benchmarks/ablation.py --steps 100 --seeds 2

The bar: all of it (24 folders, checkpoints, grids, evaluations, tables, report) within 1.15 × 24 × the stepping of one
run alone, plus one compilation for each structure. Times are this process's processor time, which a busy machine
inflates less than the clock; the persistent cache of compiled programs is off.
"""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import jax
import tyro

from gen_jax.core import parallel
from gen_jax.core.platform import configure
from gen_jax.runs import feeding
from gen_jax.runs.train import compile_steps
from gen_jax.studies import ablation, execute, plan, study

SCRIPT = Path(__file__).parents[1] / "experiments" / "gan.py"
GRID = {"loss": ["non_saturating", "hinge"], "hyper.lr_discriminator": [1e-4, 2e-4, 4e-4]}
BAR = 1.15


@dataclass(frozen=True)
class Config:
    steps: int = 500
    seeds: int = 4


def stepping(steps: int) -> float:
    """Seconds that the steps of one run take alone, without its files: the smaller of two measurements."""
    config_type, build = study.load_script(SCRIPT)
    config = plan.replace(config_type(), {"data": "digits", "steps": steps})
    source = execute.source_of(config, {})
    algorithm, where = build(config, source), parallel.layout("jit", 1)
    batches = feeding.make(source, config, algorithm.minibatches, where, 0)
    found = []
    for _ in range(2):
        state = jax.jit(algorithm.init)(jax.random.key(0))
        run, _ = compile_steps(algorithm, batches, where, config, state)
        state, _ = run(state, batches.data(0, 1), parallel.place_count(1, where))  # the first call reads the program
        began = time.process_time()
        for start in range(0, steps, config.steps_per_call):
            count = min(config.steps_per_call, steps - start)
            state, _ = run(state, batches.data(start, count), parallel.place_count(count, where))
        jax.block_until_ready(state)
        found.append(time.process_time() - began)
    return min(found)


def main(config: Config) -> None:
    configure()
    jax.config.update("jax_enable_compilation_cache", False)
    alone = stepping(config.steps)
    compilations: list[float] = []

    def timed(*arguments):
        began = time.process_time()
        result = compile_steps(*arguments)
        compilations.append(time.process_time() - began)
        return result

    execute.compile_steps = timed
    with tempfile.TemporaryDirectory() as folder:
        asked = ablation.Ablation(
            experiment=SCRIPT,
            study_dir=Path(folder) / "study",
            grid=GRID,
            seeds=config.seeds,
            settings={"data": "digits", "steps": config.steps},
        )
        began = time.process_time()
        ablation.run(asked, lambda line: None)
        whole = time.process_time() - began
    runs = 6 * config.seeds
    ratio = (whole - sum(compilations)) / (runs * alone)
    print(f"one run alone: {alone:.2f} s of stepping ({1000 * alone / config.steps:.2f} ms a step)")
    print(f"{runs} runs: {whole:.1f} s, of which {len(compilations)} compilations {sum(compilations):.1f} s")
    print(f"without the compilations {ratio:.3f} × {runs} × the stepping of one; the bar is {BAR}")


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
