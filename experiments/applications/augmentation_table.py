"""The table and the curve of augmentation.py: gains over classical augmentation, and what synthetic sets are worth."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from gen_jax.data.kinds import canvas
from gen_jax.metrics import intervals, worth
from gen_jax.metrics.worth import Cell, Equivalent
from gen_jax.runs.figures import COLOURS
from gen_jax.studies import papers

COLLAPSED = ("mode_collapse", "dropped_modes", "posterior_collapse")  # of the signs, what makes samples useless


class Outcome(NamedTuple):
    """Test accuracy in %, how many real images were seen at most, and each generator's signs of failure."""

    accuracy: float
    saw: int
    signs: Mapping[str, tuple[str, ...]]


class Study(NamedTuple):
    """Outcomes by (arm, n) and (draw, seed), with the titles of the arms in order."""

    found: Mapping[tuple[str, int], Mapping[Cell, Outcome]]
    titles: Mapping[str, str]
    per_class: Sequence[int]

    def accuracies(self, arm: str, n: int) -> dict[Cell, float]:
        return {cell: each.accuracy for cell, each in self.found[arm, n].items()}

    def curve(self, arm: str = "classical") -> dict[int, float]:
        """Mean accuracy by n."""
        found = {n: worth.by_draw(self.accuracies(arm, n)) for name, n in self.found if name == arm}
        return {n: float(np.mean(list(each.values()))) for n, each in sorted(found.items())}


class Gain(NamedTuple):
    """Over classical augmentation: points, the paired interval, and the real images a class that are worth as much."""

    mean: float
    ends: tuple[float, float]
    worth: tuple[Equivalent, Equivalent, Equivalent]  # of the mean and of the interval's ends


def difference(study: Study, arm: str, other: str, n: int) -> intervals.Difference:
    """Points that `arm` is above the other, paired by draw, of the cells that both have."""
    sides = [study.accuracies(name, n) for name in (arm, other)]
    cells = worth.common(sides)
    ours, theirs = (worth.by_draw({cell: side[cell] for cell in cells}) for side in sides)
    return intervals.paired(ours, theirs)


def gain(study: Study, arm: str, n: int) -> Gain:
    """Paired by draw, of the cells that both arms have."""
    of, curve = difference(study, arm, "classical", n), study.curve()
    low, high = of.interval.ends
    at = curve[n]
    mean, below, above = (worth.equivalent(curve, at + points) for points in (of.mean, low, high))
    return Gain(of.mean, (low, high), (mean, below, above))


def collapses(study: Study, arm: str, n: int) -> tuple[int, int, list[str]]:
    """(collapsed generators, generators, all signs that lasted) of an arm."""
    signs = [each for outcome in study.found[arm, n].values() for each in outcome.signs.values()]
    seen = sorted({sign for each in signs for sign in each})
    return sum(any(sign in COLLAPSED for sign in each) for each in signs), len(signs), seen


def signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def more(found: Equivalent, n: int) -> str:
    """+12, −3, or ≥ +300: real images a class beyond n."""
    images = round(found.images - n)
    return f"{found.bound} {images:+d}".strip().replace("-", "−")


def row(study: Study, arm: str, n: int) -> str:
    accuracies = list(worth.by_draw(study.accuracies(arm, n)).values())
    cells = [str(n), study.titles[arm], papers.spread(accuracies, 2)]
    if arm == "classical":
        cells += ["0", "0"]
    else:
        found = gain(study, arm, n)
        low, high = found.ends
        if np.isnan(low):  # one draw
            cells += [signed(found.mean), more(found.worth[0], n)]
        else:
            word = "**better**" if low > 0 else "**worse**" if high < 0 else "no difference found"
            cells.append(f"{signed(found.mean)} [{signed(low)}, {signed(high)}] {word}")
            mean, below, above = (more(each, n) for each in found.worth)
            cells.append(f"{mean} [{below}, {above}]")
    collapsed, count, seen = collapses(study, arm, n)
    said = ", ".join(sign.replace("_", " ") for sign in seen)
    cells.append(f"{collapsed} of {count} collapsed{f': {said}' if said else ''}" if count else "")
    return "| " + " | ".join(cells) + " |"


def verdict(study: Study, n: int) -> str | None:
    """Whether synthetic images help: the best arm that has some beside the best that has none, be it classical
    augmentation, real images alone or a floor. A gain over a classical augmentation that itself does harm is none."""
    generative = [arm for arm in study.titles if any(each.signs for each in study.found[arm, n].values())]
    if not generative:
        return None
    without = [arm for arm in study.titles if arm not in generative]
    best, rival = (max(arms, key=lambda arm: study.curve(arm)[n]) for arms in (generative, without))
    of = difference(study, best, rival, n)
    low, high = of.interval.ends
    name = study.titles[rival].strip("*")
    word, ends = f"use {name}, without synthetic images", f", 95 % [{signed(low)}, {signed(high)}]"
    if np.isnan(low):
        word, ends = "one draw decides nothing", ""
    elif low > 0:
        word = "use it"
    return (
        f"- {n} a class: the best with synthetic images, {study.titles[best]}, is {signed(of.mean)} points from the "
        f"best without, {name}{ends}: **{word}** (best of {len(generative)} by the test split, which flatters it)."
    )


def section(study: Study, data: str, facts: Sequence[str]) -> str:
    """Markdown: a row an arm and n, the best generative arm's verdict, and the images that generators saw."""
    head = ["n", "arm", "accuracy, %", "gain over classical, points", "worth, real images a class", "generators"]
    lines = [f"### {data}", "", "| " + " | ".join(head) + " |", "| ---: | --- | ---: | ---: | ---: | --- |"]
    lines += [row(study, arm, n) for n in study.per_class for arm in study.titles]
    lines.append("")
    lines += [told for n in study.per_class if (told := verdict(study, n))]
    saw = {n: max(each.saw for arm in study.titles for each in study.found[arm, n].values()) for n in study.per_class}
    said = ", ".join(f"{count:,} at {n} a class" for n, count in saw.items())
    curve = ", ".join(f"{n}: {value:.1f}" for n, value in study.curve().items())
    lines += [f"- Real images that each classifier and each generator saw: {said}.", f"- Classical curve, %: {curve}."]
    return "\n".join([*lines, *(f"- {fact}" for fact in facts), ""])


def picture(study: Study, data: str) -> bytes:
    """PNG: accuracy over n of each arm that has real images, with 95 % intervals over draws; the classical curve goes
    on where it was measured further, and floors are dotted."""
    figure, axes = canvas.figure(7.2, 4.0)
    names = [arm for arm in study.titles if not arm.startswith("only_")]
    low, colours = 100.0, iter(COLOURS * len(names))
    for place, arm in enumerate(names):
        counts = sorted(n for name, n in study.found if name == arm)
        of = [intervals.t_interval(list(worth.by_draw(study.accuracies(arm, n)).values())) for n in counts]
        low = min(low, *(each.value for each in of))
        halves = [np.nan_to_num((each.high - each.low) / 2) for each in of]
        beside = 1 + 0.015 * (place - len(names) / 2)  # bars side by side
        if arm == "classical":
            style, beside = {"lw": 2.4, "zorder": 5, "color": canvas.INK}, 1.0
        elif study.titles[arm].startswith("*"):  # floors
            style = {"lw": 1.0, "color": "0.55", "ls": ":" if place % 2 else "--"}
        else:
            style = {"lw": 1.2, "color": next(colours)}
        label, at = study.titles[arm].strip("*"), [n * beside for n in counts]
        axes.errorbar(at, [each.value for each in of], halves, marker="o", ms=3, capsize=2, label=label, **style)
    counts = sorted({n for _, n in study.found})
    axes.set_xscale("log")
    axes.set_xticks(counts, [str(n) for n in counts])
    axes.minorticks_off()
    axes.set_ylim(low - 6, 101)  # wide intervals of few draws would squeeze the rest
    axes.set_xlabel("real images a class", fontsize=9, color=canvas.INK)
    axes.set_ylabel("test accuracy, %", fontsize=9, color=canvas.INK)
    axes.set_title(data, fontsize=10, color=canvas.INK)
    figure.legend(loc="outside right center", frameon=False, fontsize=8, labelcolor=canvas.INK)
    return canvas.render(figure, "png")
