"""Where a GAN is stable: learning rate × R1 weight × loss on the ring (Mescheder et al. 2018, arXiv:1801.04406).

    python experiments/papers/stability_map.py                    # 1,024 runs as one program on a GPU, 128 on a CPU
    python experiments/papers/stability_map.py --rates 4 --weights 4 --steps 500      # a glance

Claim: without a penalty on the slope at real examples (R1) the game need not converge, and with one it does: the region
of learning rates that find every mode is wider for a moderate weight than for next to none.
Scaled down: their figures are of images; here perceptrons of three layers of 64 play on the ring of eight Gaussians
(PacGAN's, arXiv:1712.04086), 3,000 rounds of 100, Adam, one seed for all runs, so that neighbours in the map differ in
three numbers alone. Which loss is played is such a number, too: the weights of a sum. A mode counts with one of 2,500
samples within 3 sigma of it. Writes a picture (`map.png`), `map.json` and a table; killed, it continues.
"""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from gen_jax.core.domains import Count, Size
from gen_jax.core.errors import UserError
from gen_jax.core.platform import accelerated
from gen_jax.core.types import Algorithm, Context, State, weights
from gen_jax.data import feed
from gen_jax.data.load import load
from gen_jax.metrics.modes import mixture_modes
from gen_jax.models import gan, gan_terms
from gen_jax.models.gan_parts import Term, normal_latents
from gen_jax.nets import mlp
from gen_jax.objectives.adversarial import AdversarialLoss, Loss
from gen_jax.runs.files import atomic_write_bytes, atomic_write_json, atomic_write_text
from gen_jax.studies import papers

Name = Literal["non_saturating", "relativistic", "hinge", "wasserstein"]
NAMES: tuple[Name, ...] = ("non_saturating", "relativistic", "hinge", "wasserstein")  # all grow linearly: see `played`
TITLES: dict[str, str] = dict(zip(NAMES, ("non-saturating", "relativistic", "hinge", "Wasserstein"), strict=True))
RATES, WEIGHTS = (1e-5, 1e-1), (1e-4, 1e2)  # the ends of the axes
MODES, SAMPLES, BATCH, WIDTHS = 8, 2500, 100, (64,) * 3
CALL = 250  # rounds in one compiled call
PICTURE = "images/stability_map.png"  # beside the page


@dataclass(frozen=True, kw_only=True)
class Config:
    study_dir: Path = Path("studies/papers/stability_map")
    """where map.png and map.json go"""
    out: Path | None = None
    """a Markdown file whose section stability_map becomes the table, such as docs/reproductions.md; the picture goes to
    the folder images beside it"""
    rates: Size | None = None
    """learning rates, from 1e-5 to 1e-1; by default 16 on an accelerator and 8 on a CPU"""
    weights: Size | None = None
    """weights of R1, from 1e-4 to 1e2; by default 16 on an accelerator and 8 on a CPU"""
    losses: tuple[Name, ...] | None = None
    """by default four on an accelerator, and on a CPU the first two of non_saturating relativistic hinge wasserstein"""
    steps: Count = 3000
    at_once: Size | None = None
    """runs in one program; by default all of them on an accelerator, and one after another on a CPU"""


class Cell(NamedTuple):
    """A run of the map."""

    loss: str
    rate: float
    weight: float

    @property
    def name(self) -> str:
        return f"{self.loss} {self.rate:.4g} {self.weight:.4g}"


def axis(ends: tuple[float, float], count: int) -> list[float]:
    """So many values, evenly spaced in their logarithm."""
    return [float(f"{value:.4g}") for value in np.geomspace(*ends, count)]


def played(names: Sequence[str]) -> Term:
    """The game whose weight is 1 among hyper's: a sum, so that the loss is data and not structure.

    The other losses enter with weight 0, which no finite number survives: fit for losses that do not overflow.
    """

    def adapt(_: AdversarialLoss, context: Context) -> AdversarialLoss:
        parts = [(context.hyper[name], Loss[name].value) for name in names]
        return AdversarialLoss(
            lambda real, fake: sum((w * loss.discriminator(real, fake) for w, loss in parts), jnp.float32(0.0)),
            lambda real, fake: sum((w * loss.generator(real, fake) for w, loss in parts), jnp.float32(0.0)),
        )

    return Term(adapt=adapt)


def game(names: Sequence[str]) -> Algorithm:
    """One algorithm for the whole map: a cell is a choice of its hyperparameters."""
    return gan.gan(
        mlp.Generator((2,), WIDTHS, activation=nn.leaky_relu),
        mlp.Discriminator(WIDTHS, activation=nn.leaky_relu),
        loss=Loss.non_saturating.value,
        shape=(2,),
        latents=normal_latents(8),
        terms=(played(names), gan_terms.r1("gamma")),
        hyper=asdict(gan.Hyper()) | {"gamma": 1.0} | dict.fromkeys(names, 0.0),
    )


def hypers(algorithm: Algorithm, names: Sequence[str], cells: Sequence[Cell]) -> dict[str, jax.Array]:
    """The scalars of these runs, [runs] each."""
    found = {name: np.full(len(cells), value, np.float32) for name, value in algorithm.hyper.items()}
    found["lr_generator"] = found["lr_discriminator"] = np.array([cell.rate for cell in cells], np.float32)
    found["gamma"] = np.array([cell.weight for cell in cells], np.float32)
    for name in names:
        found[name] = np.array([cell.loss == name for cell in cells], np.float32)
    return {name: jnp.asarray(values) for name, values in found.items()}


def train(names: Sequence[str], cells: Sequence[Cell], steps: int, at_once: int) -> Iterator[tuple[Cell, dict]]:
    """(cell, what was found) of every run; `at_once` of them are one program, which all the others use again."""
    algorithm, source = game(names), load("ring8")
    assert source.modes is not None
    held, seed, minibatches = feed.resident(source.train), jnp.uint32(0), algorithm.minibatches["train"]

    def rounds(states: State, start: jax.Array, count: jax.Array, held: Any) -> State:
        def one(index: jax.Array, states: State) -> State:
            batch = feed.fetch(held, seed, start + index, minibatches, BATCH)  # the same for all runs
            return jax.vmap(lambda state: algorithm.update(state, {"train": batch})[0])(states)

        return jax.lax.fori_loop(0, count, one, states)

    def begin(hyper: dict[str, jax.Array]) -> State:
        return jax.vmap(lambda own: algorithm.init(jax.random.key(0)).replace(hyper=own))(hyper)

    draw = algorithm.samplers["prior"].draw
    call, first = jax.jit(rounds, donate_argnums=0), jax.jit(begin)
    points = jax.jit(jax.vmap(lambda state: draw(weights(state), jax.random.key(1), SAMPLES)))
    for place in range(0, len(cells), at_once):
        group = list(cells[place : place + at_once])
        filled = group + [group[-1]] * (at_once - len(group))  # one compiled shape
        states = first(hypers(algorithm, names, filled))
        for start in range(0, steps, CALL):
            states = call(states, jnp.int32(start), jnp.int32(min(CALL, steps - start)), held)
        drawn, lost = np.asarray(points(states)), np.asarray(states.aux["nonfinite"]["total"])
        for cell, own, skipped in zip(group, drawn, lost, strict=False):
            report = mixture_modes(own, source.modes.centres, source.modes.sigma)
            found = {"modes": report.modes, "good": report.good, "reverse_kl": report.reverse_kl}
            yield cell, found | {"nonfinite": int(skipped)}


# ---- what is shown -----------------------------------------------------------------------------------------------


def grid(found: dict[str, dict], loss: str, rates: Sequence[float], weights_: Sequence[float], key: str) -> np.ndarray:
    """[weights, rates] of what was found; NaN where a run is still to come."""
    return np.array(
        [[found.get(Cell(loss, rate, weight).name, {}).get(key, np.nan) for rate in rates] for weight in weights_],
        np.float64,
    )


def picture(found: dict[str, dict], losses: Sequence[str], rates: Sequence[float], weights_: Sequence[float], steps):
    """The map as a PNG: a panel a loss, modes as colours."""
    import io

    from matplotlib import colormaps
    from matplotlib.colors import BoundaryNorm
    from matplotlib.figure import Figure

    def edges(values: Sequence[float]) -> np.ndarray:
        logs = np.log10(values)
        half = (logs[1] - logs[0]) / 2 if len(logs) > 1 else 0.5
        return 10 ** np.append(logs - half, logs[-1] + half)

    columns = min(len(losses), 2)
    rows = -(-len(losses) // columns)
    figure = Figure(figsize=(5.2 * columns + 1.0, 4.3 * rows + 0.5), layout="constrained")
    axes = np.atleast_1d(np.asarray(figure.subplots(rows, columns, sharex=True, sharey=True))).ravel()
    colours, norm = colormaps["viridis"].resampled(MODES + 1), BoundaryNorm(np.arange(MODES + 2) - 0.5, MODES + 1)
    mesh = None
    for place, loss in zip(axes, losses, strict=False):
        modes = grid(found, loss, rates, weights_, "modes")
        mesh = place.pcolormesh(edges(rates), edges(weights_), modes, norm=norm, cmap=colours)
        place.set(xscale="log", yscale="log", title=f"{TITLES[loss]} loss")
        broken = grid(found, loss, rates, weights_, "nonfinite") > 0
        ys, xs = np.nonzero(broken)
        if len(xs):
            place.plot(np.array(rates)[xs], np.array(weights_)[ys], "rx", markersize=4, label="steps not finite")
            place.legend(loc="upper left", fontsize=8)
    for number, place in enumerate(axes):
        place.set_visible(number < len(losses))
        if number % columns == 0:
            place.set_ylabel("weight of R1")
        if number >= len(losses) - columns:
            place.set_xlabel("learning rate of both players")
            place.tick_params(labelbottom=True)
    if mesh is not None:
        bar = figure.colorbar(mesh, ax=list(axes[: len(losses)]), ticks=range(MODES + 1), shrink=0.9)
        bar.set_label(f"modes found, of {MODES}")
    count = len(losses) * len(rates) * len(weights_)
    figure.suptitle(f"Ring of eight Gaussians after {steps:,} rounds: {count:,} runs")
    held = io.BytesIO()
    figure.savefig(held, format="png", dpi=110)
    return held.getvalue()


def markdown(
    found: dict[str, dict], losses: Sequence[str], rates, weights_, config: Config, took: tuple[float, str]
) -> str:
    """The section of the page: what the map says of every loss."""
    count = len(losses) * len(rates) * len(weights_)
    lines = ["## Where a GAN is stable: learning rate × R1 weight × loss on the ring (Mescheder et al. 2018)", ""]
    third = max(len(weights_) // 3, 1)
    low, middle = slice(third), slice(min(third, len(weights_) - 1), max(len(weights_) - third, third + 1))
    lines += [
        f"| loss | finds all {MODES}, of all runs | mean modes | weights to {max(weights_[low]):.2g} | "
        f"weights {min(weights_[middle]):.2g} to {max(weights_[middle]):.2g} | best weight | "
        "rates that work there |"
    ]
    lines += ["| --- |" + " ---: |" * 6]
    held = 0
    for loss in losses:
        modes = grid(found, loss, rates, weights_, "modes")
        whole = modes == MODES  # [weights, rates]
        best = int(np.argmax(whole.mean(axis=1)))
        works = np.array(rates)[whole[best]]
        span = f"{works.min():.2g} to {works.max():.2g}" if len(works) else "none"
        cells = [
            f"{whole.mean():.0%}",
            f"{modes.mean():.2f}",
            f"{whole[low].mean():.0%}",
            f"{whole[middle].mean():.0%}",
        ]
        cells += [f"{weights_[best]:.2g} ({whole[best].mean():.0%})", span]
        lines.append(f"| {TITLES[loss]} | " + " | ".join(cells) + " |")
        held += bool(whole[middle].mean() > whole[low].mean())
    word = "held" if held == len(losses) else "reversed" if held == 0 else "not decided"
    lines += [
        "",
        "- more runs find all modes with a weight of R1 in the middle third of the axis than in the lowest: "
        f"**{word}** (for {held} of {len(losses)} losses; one seed a run).",
    ]
    lines.append(
        f"- Protocol: ring8, {len(rates)} learning rates × {len(weights_)} weights × {len(losses)} losses = {count:,} "
        f"runs of {config.steps:,} rounds of {BATCH}, one seed, modes of {SAMPLES:,} samples of averaged weights."
    )
    seconds, machine = took
    lines.append(f"- `{papers.command('stability_map.py')}`: {seconds / 60:.1f} minutes on {machine}.")
    return "\n".join([*lines, ""])


def main(config: Config) -> None:
    papers.need_page(config.out)
    many = 16 if accelerated() else 8
    rates, weights_ = axis(RATES, config.rates or many), axis(WEIGHTS, config.weights or many)
    losses = config.losses or (NAMES if accelerated() else NAMES[:2])
    cells = [Cell(loss, rate, weight) for loss in losses for rate in rates for weight in weights_]
    saved = config.study_dir / "map.json"
    before: dict[str, Any] = {"steps": config.steps}
    if saved.exists():
        before = json.loads(saved.read_text(encoding="utf-8"))
    if before["steps"] != config.steps:
        raise UserError(f"{saved} holds runs of {before['steps']} rounds; give another --study-dir, or move it")
    found, seconds = before.get("cells", {}), before.get("seconds", 0.0)
    left = [cell for cell in cells if cell.name not in found]
    print(f"{len(cells):,} runs of {config.steps:,} rounds, {len(left):,} to do")
    config.study_dir.mkdir(parents=True, exist_ok=True)
    began, written = time.perf_counter(), time.perf_counter()

    def write() -> None:
        spent = round(seconds + time.perf_counter() - began, 1)
        atomic_write_json(saved, {"steps": config.steps, "seconds": spent, "on": papers.hardware(), "cells": found})

    at_once = config.at_once or (len(left) if accelerated() else 1)
    if left:
        for cell, values in train(losses, left, config.steps, min(at_once, len(left))):
            found[cell.name] = values
            if time.perf_counter() - written > 5:  # what is there stays, whatever happens
                write()
                print(f"{sum(cell.name in found for cell in cells):,} of {len(cells):,} runs")
                written = time.perf_counter()
        write()
    drawn = picture(found, losses, rates, weights_, config.steps)
    atomic_write_bytes(config.study_dir / "map.png", drawn)
    record = json.loads(saved.read_text(encoding="utf-8"))
    text = markdown(found, losses, rates, weights_, config, (record["seconds"], record.get("on", papers.hardware())))
    atomic_write_text(config.study_dir / "paper.md", text)
    if config.out is not None:
        atomic_write_bytes(config.out.parent / PICTURE, drawn)
        shown = text.replace("\n\n", f"\n\n![modes by learning rate, weight of R1 and loss]({PICTURE})\n\n", 1)
        papers.write_section(config.out, "stability_map", shown)
    print(f"\n{text}\n{config.study_dir / 'map.png'}")


if __name__ == "__main__":
    papers.run(Config, main, __doc__)
