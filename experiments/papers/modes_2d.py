"""Modes of the ring and the grid: the protocol of PacGAN (Lin et al. 2018, arXiv:1712.04086, section 4.1).

    python experiments/papers/modes_2d.py                                    # the whole table, docs/modes_2d.md
    python experiments/papers/modes_2d.py --arms rpgan --data grid25         # one cell
    python experiments/papers/modes_2d.py --arms gan --steps 400000          # the published length (400 epochs)

2,500 samples; good: within 3 sigma of a mode; a mode counts with one good sample; reverse KL in nats over nearest modes
(the sampling noise of a perfect generator alone makes .0014 on the ring and .0048 on the grid). GAN and PacGAN2 are the
published configuration; unrolled is the network and the learning rates of its authors' notebook; WGAN-GP and RpGAN + R1
+ R2 (Huang et al. 2024) have no published row. Each cell is the mean over training seeds with a 95 % interval, at the
last step: no best checkpoint is chosen. Steps were chosen for about the time of RpGAN's 20,000 on an idle core; the
seconds here were taken on a shared machine at different times and lie far apart, so arms are set side by side at these
steps, not at equal time. They are a fraction of the published 400,000: the published arms are far from done. "worst" is
each column's worst seed; "s" the seconds that a seed took to train. One compilation an arm: the seed is in the data.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn

from gen_jax.core import parallel
from gen_jax.core.domains import Count, Seeds
from gen_jax.core.errors import UserError
from gen_jax.core.types import Algorithm, weights
from gen_jax.data import feed
from gen_jax.data.load import load
from gen_jax.data.source import Source
from gen_jax.metrics.intervals import mean, t_interval
from gen_jax.metrics.modes import ModeReport, mixture_modes
from gen_jax.models import gan_terms
from gen_jax.models.gan import Turns, gan
from gen_jax.models.gan_parts import normal_latents
from gen_jax.nets import mlp
from gen_jax.nets.layers import BatchNorm, normal_init
from gen_jax.objectives import adversarial
from gen_jax.runs.files import atomic_write_json, atomic_write_text
from gen_jax.studies import papers

POINTS = (2,)
SAMPLES = 2500


class Arm(NamedTuple):
    """A row of the table; `build(steps)` makes the algorithm for a run of that length."""

    title: str
    build: Callable[[int], Algorithm]
    steps: int
    batch_size: int = 100


def pacgan(packing: int) -> Algorithm:
    """PacGAN's networks and optimizer; packing 1 is its GAN. A batch is 100 points either way, as 50 packs of 2."""
    return gan(
        mlp.Generator(POINTS, (400,) * 4, norm=BatchNorm, kernel_init=normal_init()),
        mlp.Discriminator((200,) * 3, maxout_pieces=5, kernel_init=normal_init()),
        loss=adversarial.non_saturating,
        shape=POINTS,
        latents=normal_latents(2),
        terms=(gan_terms.packed(packing),),
        hyper={"lr_generator": 1e-4, "lr_discriminator": 1e-4, "b1": 0.8, "b2": 0.999},
    )


def unrolled(steps: int) -> Algorithm:
    """Unrolled GAN (Metz et al. 2017) with five steps, as in its authors' notebook but for the batch (512 there)."""
    return gan(
        mlp.Generator(POINTS, (128, 128), activation=nn.tanh, kernel_init=nn.initializers.orthogonal(1.4)),
        mlp.Discriminator((128, 128), activation=nn.tanh, kernel_init=nn.initializers.orthogonal(1.4)),
        loss=adversarial.non_saturating,
        shape=POINTS,
        latents=normal_latents(256),
        terms=(gan_terms.unrolled(5),),
        hyper={"lr_generator": 1e-3, "lr_discriminator": 1e-4, "b1": 0.5, "b2": 0.999},
    )


def wgan_gp(steps: int) -> Algorithm:
    """WGAN-GP (Gulrajani et al. 2017): five critic steps, lambda = 10."""
    return gan(
        mlp.Generator(POINTS, (128,) * 3),
        mlp.Discriminator((128,) * 3),
        loss=adversarial.wasserstein,
        shape=POINTS,
        latents=normal_latents(2),
        turns=Turns(n_critic=5),
        terms=(gan_terms.gradient_penalty(),),
        hyper={"lr_generator": 1e-4, "lr_discriminator": 1e-4, "b1": 0.0, "b2": 0.9, "gradient_penalty": 10.0},
    )


def rpgan(steps: int) -> Algorithm:
    """RpGAN + R1 + R2, no normalisation; learning rate and gamma fall along half a cosine, gamma to a twentieth."""
    lr, gamma = optax.cosine_decay_schedule(1.0, steps), optax.cosine_decay_schedule(1.0, steps, alpha=0.05)

    def optimizer(hyper):
        return optax.adam(lambda count: hyper["lr"] * lr(count), b1=hyper["b1"], b2=hyper["b2"])

    return gan(
        mlp.Generator(POINTS, (128,) * 3, activation=nn.leaky_relu),
        mlp.Discriminator((128,) * 3, activation=nn.leaky_relu),
        loss=adversarial.relativistic,
        shape=POINTS,
        latents=normal_latents(8),
        terms=(gan_terms.scheduled(gan_terms.r1_and_r2(), gamma),),
        optimizers={"generator": optimizer, "discriminator": optimizer},
        hyper={"lr": 2e-3, "b1": 0.0, "b2": 0.99, "gamma": 0.1, "ema_decay": 0.999},
    )


PUBLISHED = {  # PacGAN, table 1: modes, % good, reverse KL (mean, and standard error where it is printed)
    "gan": {"ring8": ("6.3±0.5", "98.2", "0.45"), "grid25": ("17.3±0.8", "94.8", "0.70")},
    "pacgan2": {"ring8": ("7.9±0.1", "95.6", "0.07"), "grid25": ("23.8", "91.3", "0.13")},
}

ARMS = {
    "gan": Arm("GAN", lambda steps: pacgan(1), 2000),
    "pacgan2": Arm("PacGAN2", lambda steps: pacgan(2), 2000),
    "unrolled": Arm("Unrolled GAN, 5 steps", unrolled, 6000),
    "wgan_gp": Arm("WGAN-GP", wgan_gp, 6000),
    "rpgan": Arm("RpGAN + R1 + R2", rpgan, 20000),
}


@dataclass(frozen=True)
class Config:
    data: tuple[Literal["ring8", "grid25"], ...] = ("ring8", "grid25")
    """the columns of the table"""
    arms: tuple[Literal["gan", "pacgan2", "unrolled", "wgan_gp", "rpgan"], ...] = (
        "gan",
        "pacgan2",
        "unrolled",
        "wgan_gp",
        "rpgan",
    )
    """its rows"""
    seeds: Seeds = 5
    """runs behind each cell"""
    steps: Count | None = None
    """rounds of every arm; by default each arm's own number, fewer than the published 400,000"""
    out: Path = Path("docs/modes_2d")
    """writes .md and .json; cells that the file holds already stay unless they are run again"""


def train(arm: Arm, sources: dict[str, Source], steps: int, seeds: int) -> Iterator[tuple[str, int, ModeReport, float]]:
    """(data set, seed, what was found, seconds) of every run of an arm, all of them in one compiled program."""
    algorithm, where, chunk = arm.build(steps), parallel.layout("jit"), min(steps, 1000)

    def fetch(held, step, position):
        count = algorithm.minibatches["train"]
        return {"train": feed.fetch(held["arrays"], held["seed"], step, count, arm.batch_size)}

    rounds = parallel.many_steps(algorithm.update, fetch, where, chunk, streamed=False)
    init, draw = jax.jit(algorithm.init), jax.jit(algorithm.samplers["prior"].draw, static_argnums=2)
    for name, source in sources.items():
        assert source.modes is not None
        arrays = feed.resident(source.train)
        rounds(init(jax.random.key(0)), {"arrays": arrays, "seed": jnp.uint32(0)}, parallel.place_count(0, where))
        for seed in range(seeds):  # the call of no rounds compiles, so that seconds are those of training
            began = time.perf_counter()
            state = init(jax.random.key(seed))
            for start in range(0, steps, chunk):
                count = parallel.place_count(min(chunk, steps - start), where)
                state, _ = rounds(state, {"arrays": arrays, "seed": jnp.uint32(seed)}, count)
            points = draw(weights(state), jax.random.key(1_000_000 + seed), SAMPLES)
            report = mixture_modes(points, source.modes.centres, source.modes.sigma)
            yield name, seed, report, time.perf_counter() - began


def interval(values: list[float], digits: int) -> str:
    """mean ± half of the 95 % t interval over seeds."""
    low, high = t_interval(values).ends
    return (
        f"{mean(values):.{digits}f} ± {(high - low) / 2:.{digits}f}" if len(values) > 1 else f"{values[0]:.{digits}f}"
    )


def rows(found: dict[str, dict], data: str) -> list[list[str]]:
    """The table's cells for one data set, arms in the order of `ARMS`."""
    lines = []
    for name, arm in ARMS.items():
        if (cell := found.get(f"{name}/{data}")) is None:
            continue
        goods = [100 * value for value in cell["good"]]
        ours = [interval(cell["modes"], 1), interval(goods, 1), interval(cell["reverse_kl"], 4)]
        worst = f"{min(cell['modes'])}, {min(goods):.1f}, {max(cell['reverse_kl']):.4f}"
        published = " / ".join(PUBLISHED.get(name, {}).get(data, ("–",)))
        lines.append(
            [arm.title, *ours, worst, str(len(goods)), f"{cell['steps']:,}", f"{mean(cell['seconds']):.0f}", published]
        )
    return lines


HEADER = [
    "arm",
    "modes",
    "% good",
    "reverse KL",
    "worst seed",
    "seeds",
    "steps",
    "s a seed",
    "published (400,000 steps)",
]


def markdown(found: dict[str, dict]) -> str:
    text = ["# Modes of the ring and the grid", "", *(__doc__ or "").split("\n\n", 2)[2].strip().split("\n"), ""]
    for data, count in (("ring8", 8), ("grid25", 25)):
        if cells := rows(found, data):
            text += [f"## {data}: {count} modes", "", "| " + " | ".join(HEADER) + " |", "|" + " --- |" * len(HEADER)]
            text += ["| " + " | ".join(line) + " |" for line in cells] + [""]
    return "\n".join(text)


def main(config: Config) -> None:
    from rich.console import Console
    from rich.table import Table

    if config.seeds < 1 or (config.steps is not None and config.steps < 1):
        raise UserError(f"--seeds {config.seeds} --steps {config.steps}: both are at least 1")
    console, saved = Console(), config.out.with_suffix(".json")
    found = json.loads(saved.read_text()) if saved.exists() else {}
    sources = {name: load(name) for name in config.data}
    config.out.parent.mkdir(parents=True, exist_ok=True)
    for name in config.arms:
        arm, steps = ARMS[name], config.steps or ARMS[name].steps
        cells: dict[str, dict] = {}
        for data, seed, report, seconds in train(arm, sources, steps, config.seeds):
            cell = cells.setdefault(data, {"steps": steps, "batch_size": arm.batch_size, "samples": SAMPLES})
            for key, value in {**report._asdict(), "seconds": round(seconds, 2)}.items():
                cell.setdefault(key, []).append(value.tolist() if isinstance(value, np.ndarray) else value)
            console.print(
                f"{arm.title} {data} seed {seed}: {report.modes} modes, {report.good:.1%} good, "
                f"reverse KL {report.reverse_kl:.4f}, {seconds:.0f} s"
            )
        found |= {f"{name}/{data}": cell for data, cell in cells.items()}
        atomic_write_json(saved, found)
        atomic_write_text(config.out.with_suffix(".md"), markdown(found))
    for data in config.data:
        table = Table(*HEADER, title=data, padding=(0, 0))
        for line in rows(found, data):
            table.add_row(*line)
        console.print(table)


if __name__ == "__main__":
    papers.run(Config, main, __doc__)
