"""What a model's latents keep of the data, as a map: trustworthiness, k-NN accuracy, distances; beside PCA's."""

from typing import Any

import jax
import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.core.threads import one_thread
from gen_jax.data.feed import to_batch
from gen_jax.data.source import Split, evenly, to_float
from gen_jax.metrics import classification, maps
from gen_jax.runs.evaluation import extractors
from gen_jax.runs.evaluation.codes import encoded
from gen_jax.runs.evaluation.metric import Metric, Value, of_proportion
from gen_jax.runs.evaluation.subject import Subject

EXAMPLES, TRAIN = 5_000, 10_000  # of the reference, whose distances are compared; that k-NN looks at
NEIGHBOURS, VOTES = 12, 5


def check(subject: Subject) -> None:
    encode = subject.need("encode", "map")
    size = len(evenly(subject.split.size, EXAMPLES))
    if size <= 2 * NEIGHBOURS:
        raise UserError(
            f"map looks at {NEIGHBOURS} neighbours and needs more than {2 * NEIGHBOURS} examples, not {size}"
        )
    batch = jax.eval_shape(to_batch, subject.split.read(np.arange(2)))
    shape = jax.eval_shape(encode, subject.weights, batch)["mean"].shape
    if len(shape) != 2:
        raise UserError(f"map needs latent vectors, and this model's latents are of shape {shape[1:]}")


def stamp(subject: Subject) -> dict[str, Any]:
    return {
        "reference": subject.options.reference,
        "examples": len(evenly(subject.split.size, EXAMPLES)),
        "neighbours": f"{NEIGHBOURS} (trustworthiness), {VOTES} votes of {min(subject.source.train.size, TRAIN)} train",
    }


def _pixels(split: Split, rows: np.ndarray) -> np.ndarray:
    return to_float(split.read(rows)["x"]).reshape(len(rows), -1)


def compute(subject: Subject) -> list[Value]:
    told = extractors.told(subject.source, subject.config)  # k-NN is a ruler: it may know labels that the run does not
    rows, train_rows = evenly(subject.split.size, EXAMPLES), evenly(told.train.size, TRAIN)
    points, train_points = _pixels(subject.split, rows), _pixels(told.train, train_rows)
    places, train_places = (
        encoded(subject, r, s)["mean"] for r, s in ((rows, subject.split), (train_rows, subject.source.train))
    )
    values = _of("", subject, told, points, places, train_places, rows, train_rows)
    d = min(places.shape[1], *train_points.shape)
    mean = train_points.mean(axis=0)
    with one_thread():
        axes = np.linalg.svd(train_points - mean, full_matrices=False)[2][:d].T
    floor = _of(
        " of PCA", subject, told, points, (points - mean) @ axes, (train_points - mean) @ axes, rows, train_rows
    )
    return values + [value._replace(details={"null": True, "dimensions": d}) for value in floor]


def _of(name, subject, told, points, places, train_places, rows, train_rows) -> list[Value]:
    values = [
        Value("trustworthiness" + name, maps.trustworthiness(points, places, NEIGHBOURS)),
        Value("Shepard correlation" + name, maps.shepard_correlation(points, places, seed=subject.options.seed)),
    ]
    if subject.source.classes is None:
        return values
    found = maps.neighbour_labels(places, train_places, told.train.read(train_rows)["label"], VOTES)
    right = classification.accuracy(found, subject.split.read(rows)["label"])
    return [of_proportion(f"{VOTES}-NN accuracy" + name, right), *values]


MAP = Metric(check, stamp, compute)
