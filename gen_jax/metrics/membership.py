"""How well a score tells a model's training examples from examples that it never saw.

Everything here takes scores of members and of non-members, higher for what looks like a member. Sources: Hayes et al.
2019 (LOGAN, arXiv:1705.07663), Hilprecht et al. 2019 (Monte Carlo and reconstruction attacks; attacks on sets), Chen et
al. 2020 (GAN-Leaks, arXiv:1909.03935), Carlini et al. 2022 (true positives at a low false-positive rate).
"""

import math

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.metrics import classification
from gen_jax.metrics.intervals import Interval


def clopper_pearson(correct: int, count: int, confidence: float = 0.95) -> Interval:
    """The exact interval of a proportion (Clopper & Pearson 1934): never narrower than it says."""
    from scipy.stats import beta

    if not 0 <= correct <= count or count == 0:
        raise UserError(f"{correct} of {count} is not a proportion")
    tail = (1 - confidence) / 2
    low = 0.0 if correct == 0 else float(beta.ppf(tail, correct, count - correct + 1))
    high = 1.0 if correct == count else float(beta.ppf(1 - tail, correct + 1, count - correct))
    return Interval(correct / count, low, high, count)


def auroc(members, others) -> Interval:
    """The probability that a member scores higher than a non-member, ties half, with DeLong's interval."""
    members, others = np.asarray(members, np.float64), np.asarray(others, np.float64)
    kind = np.arange(len(members) + len(others)) < len(members)
    return classification.auroc(np.concatenate([members, others]), kind)


def true_positives(members, others, rate: float = 0.01) -> Interval:
    """The share of members above the score that at most `rate` of the non-members exceed, with the exact interval of
    that share; the threshold is taken as given. Ties with it count as below.

    Raises UserError where there are too few non-members for such a rate to mean anything.
    """
    members, others = np.asarray(members, np.float64), np.sort(np.asarray(others, np.float64))
    allowed = math.floor(rate * len(others))
    if allowed < 1:
        raise UserError(
            f"a false-positive rate of {rate:g} needs {math.ceil(1 / rate)} non-members, and there are {len(others)}"
        )
    threshold = others[len(others) - 1 - allowed]
    return clopper_pearson(int((members > threshold).sum()), len(members))


def set_attack(members, others, size: int, pairs: int = 1_000, resamples: int = 100, seed: int = 0) -> Interval:
    """How often, of a set of members and a set of non-members of `size` each, the former has the higher mean score
    (Hilprecht et al. 2019, section 4.3): over random pairs, with a bootstrap interval over the examples.

    A half is chance. Raises UserError where either side has fewer examples than a set.
    """
    members, others = np.asarray(members, np.float64), np.asarray(others, np.float64)
    if not 0 < size <= min(len(members), len(others)):
        raise UserError(f"sets of {size} of {len(members)} members and {len(others)} non-members; take smaller ones")
    random = np.random.default_rng(seed)

    def success(inside: np.ndarray, outside: np.ndarray, count: int) -> float:
        means = [random.choice(side, (count, size)).mean(axis=1) for side in (inside, outside)]
        return float(((means[0] > means[1]) + 0.5 * (means[0] == means[1])).mean())

    found = success(members, others, pairs)
    again = [success(random.choice(members, len(members)), random.choice(others, len(others)), pairs // 4)
             for _ in range(resamples)]  # fmt: skip
    low, high = np.quantile(again, [0.025, 0.975])
    return Interval(found, float(low), float(high), len(members) + len(others))
