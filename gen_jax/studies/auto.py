"""`--seeds auto`: seeds are added until a metric's differences are decided, or until there are as many as one will pay.

Looking again after each seed, and stopping when the look pleases, makes a plain test wrong several times as often as it
says. Here differences are judged by a confidence sequence (`metrics.sequential`), corrected for the number of arms by
Holm's rule: of studies in which no arm differs at most 5 % say that one does, whenever they are looked at.
"""

from collections.abc import Callable

from gen_jax.metrics import sequential
from gen_jax.studies import results
from gen_jax.studies.results import Group, Metric
from gen_jax.studies.study import Study

FIRST = 6  # seeds before the first look: a confidence sequence says nothing with fewer than five
MORE = 2
LEVEL = 0.05


def until_decided(
    train: Callable[[int], Study],
    groups: Callable[[Study], list[Group]],
    first: int,
    most: int,
    say: Callable[[str], None],
) -> Study:
    """The study after `train(seeds)` for as many seeds as it took: `first` or more, `most` at the most."""
    seeds = min(max(FIRST, first), max(most, first))
    while True:
        opened = train(seeds)
        arms = groups(opened)
        open_arms = undecided(opened, arms)
        say(verdict(opened, arms))
        if not open_arms or seeds >= most:
            return opened
        seeds = min(seeds + MORE, most)


def undecided(study: Study, groups: list[Group]) -> list[str]:
    """Arms whose difference to the baseline is not decided at 5 %, corrected for the number of arms."""
    assert study.decide is not None
    metric = Metric(study.decide, None)
    found = results.rows(groups, study.baseline, [metric], paired=sequential.paired)
    return [row.arm for row in found if row.arm != study.baseline and not row.p_holm <= LEVEL]


def verdict(study: Study, groups: list[Group]) -> str:
    """One line: what the seeds that are there have decided."""
    left, count = undecided(study, groups), len(study.seeds)
    if left:
        return f"{study.decide}: not decided by {count} seeds: {', '.join(left)} against {study.baseline}"
    return f"{study.decide}: decided by {count} seeds, every arm against {study.baseline}"
