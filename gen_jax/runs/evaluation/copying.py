"""Does the model copy its training data? AuthPct, C_T and nearest neighbours, each beside its value on held-out data.

These look at the whole training set, whatever the reference is: a copy of an example that was left out stays unseen.
"""

from typing import Any

import numpy as np

from gen_jax.data.source import to_float
from gen_jax.metrics import memorization, neighbours
from gen_jax.runs.evaluation.metric import Metric, Value, over_repeats
from gen_jax.runs.evaluation.scores import feature_stamp, sample_stamp, samples_at_least
from gen_jax.runs.evaluation.subject import Subject
from gen_jax.runs.watching import pictures

CELLS = 3
PICTURE = "samples_over_nearest_training_images.png"
PICTURES = 16  # pairs in it
SIGN = -3.0  # C_T below this is three standard deviations from the null


def _stamp(subject: Subject) -> dict[str, Any]:
    source = subject.source
    sizes = {"train": source.train.size, "held out": len(subject.reference("test").features)}
    return {**feature_stamp(subject), **sample_stamp(subject), **sizes}


def _train(subject: Subject) -> np.ndarray:
    return subject.reference("train", whole=True).features


def _held_out(subject: Subject) -> np.ndarray:
    return subject.reference("test").features


def _authpct(subject: Subject) -> list[Value]:
    train, held_out = _train(subject), _held_out(subject)
    null = memorization.authentic_percent(train, held_out)
    found = [memorization.authentic_percent(train, subject.fakes(r).features) for r in range(subject.options.repeats)]
    return [
        over_repeats(f"AuthPct ({subject.extractor.name})", found, "%", {"held_out": null}),
        Value(f"AuthPct of held-out data ({subject.extractor.name})", null, unit="%", details={"null": True}),
    ]


def _ct(subject: Subject) -> list[Value]:
    train, held_out = _train(subject), _held_out(subject)
    found = [
        memorization.copy_test(train, held_out, subject.fakes(r).features, CELLS)
        for r in range(subject.options.repeats)
    ]
    rule = f"standard normal without copying; below {SIGN:g} the samples lie too close to the training data"
    name = f"C_T ({subject.extractor.name})"
    return [over_repeats(name, [t.statistic for t in found], details={"rule": rule, "cells": found[0].cells.tolist()})]


def _nearest(subject: Subject) -> list[Value]:
    train, held_out = _train(subject), _held_out(subject)
    null = np.asarray(neighbours.nearest(held_out, train)[0])[:, 0]
    bound = float(np.quantile(null, 0.01))
    ratios, close, copies = [], [], []
    for repeat in range(subject.options.repeats):
        distances, rows = (np.asarray(a)[:, 0] for a in neighbours.nearest(subject.fakes(repeat).features, train))
        ratios.append(float(np.median(distances) / np.median(null)))
        close.append(float(np.mean(distances < bound)))
        copies.append(float(np.mean(distances == 0)))
        if repeat == 0 and subject.run_dir is not None:
            _picture(subject, distances, rows)
    rule = "held-out data have ratio 1, and 0.01 of them lie this close"
    return [
        over_repeats(
            f"nearest training example, ratio to held-out ({subject.extractor.name})", ratios, details={"rule": rule}
        ),
        over_repeats("samples nearer to training data than 99 % of held-out", close, details={"rule": rule}),
        over_repeats("samples equal to a training example in all features", copies),
    ]


def _picture(subject: Subject, distances: np.ndarray, rows: np.ndarray) -> None:
    """The samples that lie closest to a training example, each over that example, among the run's pictures."""
    chosen = np.sort(np.argsort(distances)[:PICTURES])
    images, _ = subject.images(len(distances))
    real = subject.source.train.read(rows[chosen])["x"]
    assert subject.run_dir is not None
    pictures.save_pairs(subject.run_dir / "pictures" / PICTURE, images[chosen], to_float(real), subject.source)


AUTHENTICITY = Metric(samples_at_least(10, "authpct"), _stamp, _authpct)
COPY_TEST = Metric(samples_at_least(100, "ct"), lambda s: {**_stamp(s), "cells": CELLS}, _ct)
NEAREST = Metric(samples_at_least(10, "nearest"), _stamp, _nearest)
