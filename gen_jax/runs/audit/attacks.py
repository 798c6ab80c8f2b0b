"""Attacks on membership: each scores single examples, higher for what looks like a training example.

LOGAN's white-box attack ranks by the discriminator's logit (Hayes et al. 2019). Black-box attacks look at samples: the
distance to the nearest one (GAN-Leaks, Chen et al. 2020), the same beside the distance to samples of a reference model,
which takes out how common an example is (its calibration), and how many samples are close (Hilprecht et al. 2019: Monte
Carlo, with the median of distances to the nearest samples as radius). Attacks on VAEs take the reconstruction error and
the ELBO (Hilprecht et al. 2019). Distances are in 40 principal components of all examples that are ranked, members and
others as many. Hilprecht et al. take those of other data: of the non-members themselves, as far as there are few, they
would hold these whole and members in part, and tell the two apart whatever the model.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.core.threads import one_thread
from gen_jax.data.source import Split
from gen_jax.metrics import neighbours
from gen_jax.runs.evaluation.subject import Subject
from gen_jax.runs.scores import named
from gen_jax.runs.scores.other import beside, other
from gen_jax.runs.scores.score import flat, of_rows

COMPONENTS = 40
HOW = "give --reference RUN, a run of the same kind on other data, whose samples say how common an example is"


class Sides(NamedTuple):
    """Members and non-members, as rows of their splits."""

    members: tuple[Split, np.ndarray]
    others: tuple[Split, np.ndarray]


class Attack(NamedTuple):
    """`check(subject)` raises UserError where this model does not allow it; `scores(subject, sides)` gives those of
    members and of non-members, higher for what looks like a member."""

    check: Callable[[Subject], Any]
    scores: Callable[[Subject, Sides], tuple[np.ndarray, np.ndarray]]


# ---- by the model ----------------------------------------------------------------------------------------------------
def _by(score: str) -> Attack:
    """What an anomaly score finds least strange is taken for a member."""

    def scores(subject: Subject, sides: Sides) -> tuple[np.ndarray, np.ndarray]:
        found = named.score(score)
        rank = found.make(subject)
        members, others = (-of_rows(found, rank, *side, subject.devices) for side in sides)
        return members, others

    return Attack(named.score(score).check, scores)


# ---- by its samples --------------------------------------------------------------------------------------------------
def _nearest(subject: Subject, sides: Sides, which: str) -> tuple[np.ndarray, np.ndarray]:
    """Distances of members and of non-members to the nearest sample of the model, or of the reference."""
    key = "distances", which
    if key not in subject.memory:
        axes, centre = _plane(subject, sides)
        fakes = (_samples(subject, which) - centre) @ axes
        found = []
        for split, rows in sides:
            points = (flat(split.read(rows)["x"]) - centre) @ axes
            found.append(np.asarray(neighbours.nearest(points, fakes)[0])[:, 0].astype(np.float64))
        subject.memory[key] = tuple(found)
    return subject.memory[key]


@one_thread()
def _plane(subject: Subject, sides: Sides) -> tuple[np.ndarray, np.ndarray]:
    """(axes [n, components], centre [n]) of the principal components of both sides, which are of one size."""
    if "plane" not in subject.memory:
        x = np.concatenate([flat(split.read(rows)["x"]) for split, rows in sides])
        centre = x.mean(axis=0)
        _, vectors = np.linalg.eigh((x - centre).T @ (x - centre))
        subject.memory["plane"] = vectors[:, -min(COMPONENTS, x.shape[1]) :].astype(np.float32), centre
    return subject.memory["plane"]


def _samples(subject: Subject, which: str) -> np.ndarray:
    owner = subject if which == "own" else _reference(subject)
    return owner.images(subject.count())[0].reshape(subject.count(), -1)


def _reference(subject: Subject) -> Subject:
    """The reference model. Raises UserError where none was given, or one whose samples have another shape."""
    run = other(subject, "--reference", f"calibration compares with the samples of another model; {HOW}")
    if run.source.fingerprint == subject.source.fingerprint:
        where = subject.options.background
        raise UserError(f"--reference {where}: it was trained on the same examples, so it calibrates nothing; {HOW}")
    found = beside(subject, run)
    found.need_samples("calibration")
    return found


def _distance(subject: Subject, sides: Sides) -> tuple[np.ndarray, np.ndarray]:
    inside, outside = _nearest(subject, sides, "own")
    return -inside, -outside


def _calibrated(subject: Subject, sides: Sides) -> tuple[np.ndarray, np.ndarray]:
    own, reference = _nearest(subject, sides, "own"), _nearest(subject, sides, "reference")
    return reference[0] - own[0], reference[1] - own[1]


def _monte_carlo(subject: Subject, sides: Sides) -> tuple[np.ndarray, np.ndarray]:
    axes, centre = _plane(subject, sides)
    fakes = (_samples(subject, "own") - centre) @ axes
    radius = float(np.median(np.concatenate(_nearest(subject, sides, "own"))))
    found = []
    for split, rows in sides:
        points = (flat(split.read(rows)["x"]) - centre) @ axes
        found.append(
            np.concatenate([_close(part, fakes, radius) for part in np.array_split(points, -(-len(points) // 500))])
        )
    return found[0], found[1]


def _close(points: np.ndarray, fakes: np.ndarray, radius: float) -> np.ndarray:
    """The share of samples within the radius of each point."""
    return (neighbours.squared_distances(points, fakes) <= radius**2).mean(axis=1)


def _draws(subject: Subject) -> None:
    subject.need_samples("audit by samples")


ATTACKS: dict[str, Attack] = {
    "logit": _by("logit"),
    "distance": Attack(_draws, _distance),
    "calibrated": Attack(lambda subject: (_draws(subject), _reference(subject)), _calibrated),
    "monte_carlo": Attack(_draws, _monte_carlo),
    "reconstruction": _by("reconstruction"),
    "elbo": _by("elbo"),
}
