"""The audit itself: every attack that a model allows, each beside the same attack on shuffled membership."""

from collections.abc import Callable
from typing import Any

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.data.source import evenly
from gen_jax.metrics import membership
from gen_jax.metrics.intervals import Interval
from gen_jax.runs.audit.attacks import ATTACKS, Sides
from gen_jax.runs.evaluation.subject import Subject

FILE = "audit.json"
RATE = 0.01
LEAST = 20  # examples a side: fewer say nothing
SHUFFLES = 50
SET = 100  # examples of a set, at most half of a side


def sides(subject: Subject, count: int | None) -> Sides:
    """As many members (train) as non-members (the test split), `count` of each at most, spread evenly.

    Raises UserError where either side is too small.
    """
    train, test = subject.source.train, subject.source.test
    most = min(train.size, test.size)
    if most < LEAST or (count is not None and count < LEAST):
        raise UserError(
            f"an audit compares training with held-out examples, {LEAST} of each or more; there are {train.size} and "
            f"{test.size}" + ("" if count is None else f", and --count is {count}")
        )
    number = min(most, count or most)
    return Sides((train, evenly(train.size, number)), (test, evenly(test.size, number)))


def audit(subject: Subject, found: Sides, say: Callable[[str], None] = lambda line: None) -> dict[str, Any]:
    """{"members", "non_members", "attacks": {name: figures}, "left_out": {name: why}}; figures as `figures` gives them.

    Raises UserError where the model allows no attack at all.
    """
    reasons: dict[str, str] = {}
    for name, attack in ATTACKS.items():
        try:
            attack.check(subject)
        except UserError as error:
            reasons[name] = str(error)
    if len(reasons) == len(ATTACKS):
        raise UserError(f"no attack suits this model: {next(iter(reasons.values()))}")
    results = {}
    for name, attack in ATTACKS.items():
        if name not in reasons:
            say(f"attacking by {name} …")
            members, others = attack.scores(subject, found)
            results[name] = figures(members, others, subject.options.seed)
    sizes = {"members": len(found.members[1]), "non_members": len(found.others[1])}
    return {**sizes, "attacks": results, "left_out": reasons}


def figures(members: np.ndarray, others: np.ndarray, seed: int = 0) -> dict[str, Any]:
    """AUROC (DeLong), true positives at 1 % false ones (Clopper-Pearson; None with fewer than 100 non-members), the set
    attack, and the AUROC of the same scores under shuffled membership (the mean of `SHUFFLES`, and the range of 95 % of
    them): a half but for chance.
    """
    size = max(1, min(SET, min(len(members), len(others)) // 2))
    enough = RATE * len(others) >= 1
    return {
        "auroc": _plain(membership.auroc(members, others)),
        "tpr_at_1_percent_fpr": _plain(membership.true_positives(members, others, RATE)) if enough else None,
        "set_attack": {**_plain(membership.set_attack(members, others, size, seed=seed)), "set_size": size},
        "shuffled_auroc": _shuffled(members, others, seed),
    }


def _shuffled(members: np.ndarray, others: np.ndarray, seed: int) -> dict[str, Any]:
    random, everyone = np.random.default_rng(seed), np.concatenate([members, others])
    orders = (random.permutation(everyone) for _ in range(SHUFFLES))
    found = [membership.auroc(order[: len(members)], order[len(members) :]).value for order in orders]
    return {"value": float(np.mean(found)), "interval": [float(end) for end in np.quantile(found, [0.025, 0.975])]}


def _plain(found: Interval) -> dict[str, Any]:
    ends = None if np.isnan(found.low) else [found.low, found.high]
    return {"value": found.value, "interval": ends}
