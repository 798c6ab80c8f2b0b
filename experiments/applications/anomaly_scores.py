"""Scores of a model and of the floors, and outcomes kept in files: what the parts of anomaly.py share."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from anomaly_models import Config

from gen_jax.core.types import Algorithm, weights
from gen_jax.data import source
from gen_jax.data.source import Source, evenly
from gen_jax.metrics import classification
from gen_jax.runs import shapes
from gen_jax.runs.config import Config as RunConfig
from gen_jax.runs.evaluation.subject import Options, Subject
from gen_jax.runs.files import atomic_write_json
from gen_jax.runs.scores import named
from gen_jax.runs.scores.score import Rank, of_rows

FLOORS = {
    "pca": "principal components",
    "knn": "5th neighbour",
    "blurred_pca": "principal components, blurred residual",
    "blurred_knn": "5th neighbour, blurred images",
    "zlib": "−zlib length",
}
OF_TABLES = ("pca", "knn")  # the floors of tables, whose others are scikit-learn's
# Settings that an outcome does not depend on, or by what stands behind them: the data that were read.
ELSEWHERE = ("study_dir", "out", "seeds", "data_dir", "classes", "scores")
OF_WEIGHTS = (
    "reconstruction", "reconstruction_probability", "elbo", "nll", "regret", "logit", "feature_distance", "f_anogan",
    "alad", "blurred_reconstruction",
)  # fmt: skip
# Scores that look at the weights and at nothing else: (algorithm, score) -> what it was made with, and the rank.
_MADE: dict[tuple[int, str], tuple[Subject, Rank]] = {}


def ranker(subject: Subject, name: str) -> Rank:
    """The rank of a score. One that knows nothing but weights is compiled once for all that share the algorithm."""
    score = named.score(name)
    score.check(subject)
    if name not in OF_WEIGHTS:
        return score.make(subject)
    key = id(subject.algorithm), name
    if key not in _MADE:
        _MADE[key] = subject, score.make(subject)
    made, rank = _MADE[key]

    def own(raw: Any) -> np.ndarray:
        made.weights = subject.weights
        return rank(raw)

    return own


def subject_of(algorithm: Algorithm, view: Any, data: Source) -> Subject:
    return Subject(algorithm, view, data, RunConfig(), Options())


def aurocs(
    subject: Subject, names: Sequence[str], normal: source.Split, strange: source.Split, most: int
) -> dict[str, dict[str, float]]:
    """{score: {"auroc", "ap", "fpr95"}} of at most `most` examples a side."""
    found = {}
    for name in names:
        score = named.score(name)
        rank = ranker(subject, name)
        sides = [of_rows(score, rank, split, evenly(split.size, most)) for split in (normal, strange)]
        kind = np.arange(sum(map(len, sides))) >= len(sides[0])
        values = np.concatenate(sides)
        found[name] = {
            "auroc": classification.auroc(values, kind).value,
            "ap": classification.auprc(values, kind),
            "fpr95": classification.false_alarms(values, kind, resamples=1).value,
        }
    return found


def check(algorithm: Algorithm, data: Source, names: Sequence[str]) -> None:
    """Raises UserError where this model and these data do not have one of the scores: before anything is trained."""
    view = weights(jax.eval_shape(algorithm.init, jax.random.key(0)))
    for name in names:
        named.score(name).check(subject_of(algorithm, view, data))


def place(config: Config, name: str, names: Sequence[str], of: Sequence[object]) -> tuple[Path, dict[str, str]]:
    """The file of an outcome, and what it depends on: settings, and `of`, the fingerprints of the data among it, since
    what is under a name today may be another tomorrow."""
    settings = {k: str(v) for k, v in dataclasses.asdict(config).items() if k not in ELSEWHERE}
    settings |= {"scores": ",".join(names or FLOORS), "of": source.digest(*of)[:16]}
    return config.study_dir / f"{name}-{source.digest(sorted(settings.items()))[:10]}.json", settings


FIGURES = {"auroc": shapes.number, "ap": shapes.number, "fpr95": shapes.number}
OUTCOME = {"scores": {str: FIGURES}, "seconds": shapes.number}


def kept(
    config: Config, name: str, names: Sequence[str], of: Sequence[object], make: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """An outcome from its file, or made now and kept there."""
    path, settings = place(config, name, names, of)
    if path.exists():
        return shapes.read(path, OUTCOME)
    began = time.perf_counter()
    found = {"scores": make(), "seconds": round(time.perf_counter() - began, 1), "settings": settings}
    atomic_write_json(path, found)
    shown = ", ".join(f"{score} {100 * value['auroc']:.1f}" for score, value in found["scores"].items())
    print(f"{name}: {shown} ({found['seconds']:.0f} s)", flush=True)
    return found


Found = dict[int, dict[str, dict[str, dict[str, float]]]]  # seed -> case -> score -> figures; floors at seed -1
