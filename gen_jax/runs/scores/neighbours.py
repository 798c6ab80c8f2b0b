"""Scores by distance to training data: in codes, in pixels, and to their principal components."""

import math
from collections.abc import Callable

import numpy as np

from gen_jax.core import dealing
from gen_jax.core.errors import UserError
from gen_jax.core.lines import counted
from gen_jax.core.threads import one_thread
from gen_jax.data.source import evenly
from gen_jax.metrics import neighbours
from gen_jax.runs.batches import in_batches
from gen_jax.runs.evaluation.subject import KEPT, Subject
from gen_jax.runs.scores import residuals
from gen_jax.runs.scores.score import BATCH, Rank, Raw, Score, flat, floats, need_numbers, parts, with_gaps

NEIGHBOUR, COMPONENTS, SMALL = 5, 32, 1e-6
VARIED = 1e-10  # of the largest component's variance, below which one is rounding
AT_ONCE = 1_000  # examples whose score is cheap


def distance(queries: np.ndarray, points: np.ndarray, at_once: int) -> np.ndarray:
    """To the 5th neighbour. So many queries at a time, whatever else is asked for: products round by their size."""
    starts = range(0, len(queries), at_once)
    found = [neighbours.nearest(queries[start : start + at_once], points, NEIGHBOUR)[0] for start in starts]
    return np.concatenate([np.asarray(each)[:, -1] for each in found])


def _latent_knn(subject: Subject) -> Rank:
    compiled, train = dealing.by_device(subject.need("encode", "latent_knn")), subject.source.train
    found = in_batches(compiled, subject.weights, train, evenly(train.size, KEPT), BATCH)["mean"]
    points = found.reshape(len(found), -1)
    if broken := int((~np.isfinite(points)).any(axis=1).sum()):  # neighbours of others would be any
        raise UserError(f"{broken} of the {counted(len(points), 'training code')} are not finite")

    def rank(raw: Raw) -> np.ndarray:
        codes = compiled(subject.weights, ((part,) for part in parts(subject, raw)))
        return distance(np.concatenate([code["mean"] for code in codes]).reshape(-1, points.shape[1]), points, BATCH)

    return rank


def _knn(subject: Subject, at_once: int = AT_ONCE) -> Rank:
    points = _train(subject)
    return lambda raw: distance(flat(raw["x"]), points, at_once)


def _pca(subject: Subject) -> Rank:
    """Squared error of the first principal components of the training examples."""
    centre, axes = components(subject)

    def rank(raw) -> np.ndarray:
        centred = flat(raw["x"]) - centre
        return (centred**2).sum(axis=1) - ((centred @ axes) ** 2).sum(axis=1)

    return rank


def _residual_knn(subject: Subject) -> Rank:
    return of_both(residuals.RECONSTRUCTION.make(subject), _knn(subject, BATCH))


def of_both(residual: Rank, distance: Rank) -> Rank:
    """Log of a reconstruction's squared error + that of the squared distance to the 5th neighbour: far from what the
    model can draw, and far from what it has seen. No scale has to be chosen."""
    return lambda raw: np.log(residual(raw) + SMALL) + 2 * np.log(distance(raw) + SMALL)


@one_thread()
def components(subject: Subject) -> tuple[np.ndarray, np.ndarray]:
    """(the training examples' mean [n], their first principal components [n, count], the largest last), float64. Fewer
    where the examples do not vary in so many directions: others would be any."""
    x = _train(subject).astype(np.float64)
    centre, count = x.mean(axis=0), _components(x.shape[1])
    x -= centre
    few = len(x) < x.shape[1]  # of fewer examples than dimensions the products are the smaller matrix
    values, vectors = (part[..., -count:] for part in np.linalg.eigh(x @ x.T if few else x.T @ x))
    varied = values > VARIED * values[-1]
    values, vectors = values[varied], vectors[:, varied]
    return centre, x.T @ vectors / np.sqrt(values) if few else vectors


def _components(dimensions: int) -> int:
    """`COMPONENTS`, and of few dimensions half: all of them would leave no residual."""
    return min(COMPONENTS, max(1, dimensions // 2))


def training(subject: Subject) -> np.ndarray:
    """The training examples that distances are to, float32 [N, *event]. Raises UserError where one misses a value: by
    arithmetic with it all would lie at no distance, and neighbours would be any."""
    train = subject.source.train
    found = floats(train.read(evenly(train.size, KEPT))["x"])
    if gaps := with_gaps(found):
        raise UserError(
            f"distances to training examples need all of their values, and {gaps:,} of {len(found):,} of "
            f"{subject.source.name} miss some; fill them first (`python -m gen_jax complete`)"
        )
    return found


def _train(subject: Subject) -> np.ndarray:
    points = training(subject)
    return points.reshape(len(points), -1)


def enough(score: str, *abilities: str) -> Callable[[Subject], None]:
    """The check of a score of neighbours, by a model that can do these."""

    def check(subject: Subject) -> None:
        if score != "latent_knn":
            need_numbers(subject, score)
        for ability in abilities:
            subject.need(ability, score)
        if subject.source.train.size < NEIGHBOUR:
            raise UserError(f"{score} looks at {NEIGHBOUR} neighbours, and there are {subject.source.train.size}")

    return check


def _stamp(subject: Subject) -> dict[str, object]:
    return {"training examples": min(subject.source.train.size, KEPT)}


LATENT_KNN = Score(enough("latent_knn", "encode"), _latent_knn, _stamp)
RESIDUAL_KNN = Score(enough("residual_knn", "encode", "decode"), _residual_knn, _stamp)
KNN = Score(enough("knn"), _knn, _stamp, batch=AT_ONCE)
PCA = Score(
    lambda subject: need_numbers(subject, "pca"),
    _pca,
    lambda subject: _stamp(subject) | {"components": _components(math.prod(subject.source.shape))},
    batch=AT_ONCE,
)
