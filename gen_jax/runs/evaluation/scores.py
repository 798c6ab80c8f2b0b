"""Scores of samples against reference features: Fréchet and kernel distances, Inception score, neighbourhoods.

Each is the mean over repeated sample sets from one model. The functions of `quick` serve tracking while training, too.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.data.kinds import IMAGES
from gen_jax.metrics import features, frechet, kernel, prdc
from gen_jax.metrics.inception_score import inception_score
from gen_jax.runs.evaluation.extractors import LARGEST
from gen_jax.runs.evaluation.metric import Metric, Value, over_repeats
from gen_jax.runs.evaluation.subject import Embedded, Subject

NEIGHBOURS = {"precision": 3, "recall": 3, "density": 5, "coverage": 5}  # Kynkäänniemi et al.; Naeem et al.
KID_SIZE, KID_SUBSETS, IS_SPLITS, INFINITY_MINIMUM = 1_000, 100, 10, 5_000
LABELLED_AT_LEAST = 10  # samples of each class for an FD within classes


# ---- what it takes ---------------------------------------------------------------------------------------------------
def samples_at_least(minimum: int, what: str, reference: bool = True) -> Callable[[Subject], None]:
    """A check that the sample sets, and the reference where it counts, have `minimum` examples."""

    def check(subject: Subject) -> None:
        subject.need_samples(what)
        few = subject.options.samples is not None and subject.options.samples < minimum
        if reference and subject.split.size < minimum:
            name, other = subject.options.reference, _other(subject)
            large = subject.source.split(other).size >= minimum
            better = f"use --reference {other}" if large else "these data are too few for it"
            more = f" and --samples {minimum}" if few and large else ""
            raise UserError(
                f"{what} needs {minimum:,} reference examples, and {name} has {subject.split.size}; {better}{more}"
            )
        if subject.count() < minimum:
            raise UserError(
                f"{what} needs {minimum:,} samples or more, and this is {subject.count():,}; use --samples {minimum}"
            )

    return check


def sample_stamp(subject: Subject, count: int | None = None) -> dict[str, Any]:
    """How the sample sets are drawn."""
    options, others = subject.options, [name for name in subject.given if name != "label"]
    stamp = {"samples": count or subject.count(), "repeats": options.repeats, "sampler": str(subject.sampler)}
    stamp |= {"sample labels": f"those of {options.reference}"} if subject.conditional else {}
    return stamp | ({"samples given": f"{', '.join(others)} of {options.reference}"} if others else {})


def feature_stamp(subject: Subject) -> dict[str, Any]:
    """Which features, with the hash of their weights."""
    names = {"weights": "feature weights", "test_accuracy": "feature test accuracy", "data_fingerprint": "feature data"}
    found = {names.get(name, name.replace("_", " ")): value for name, value in subject.extractor.stamp.items()}
    return {k: v[:16] if k == "feature data" else v for k, v in found.items()}


def reference_stamp(subject: Subject, kept: bool = False) -> dict[str, Any]:
    """Which real examples; with `kept`, only as many as neighbours and kernels look at."""
    size = subject.split.size
    count = len(subject.reference().features) if kept else size
    return {"reference": subject.options.reference, "reference count": count}


def repeats(subject: Subject, function: Callable[[int], float]) -> list[float]:
    return [function(repeat) for repeat in range(subject.options.repeats)]


# ---- the scores of one sample set ------------------------------------------------------------------------------------
def frechet_of(reference: Embedded, fakes: Embedded) -> float:
    assert reference.moments is not None
    return frechet.distance(frechet.moments_of(fakes.features), reference.moments)


def kernel_of(reference: Embedded, fakes: Embedded, size: int = KID_SIZE, subsets: int = KID_SUBSETS) -> float:
    real, generated = (np.asarray(e.features, np.float64) for e in (reference, fakes))
    return kernel.kernel_distance(real, generated, subsets, size).mean


def neighbourhoods(reference: Embedded, fakes: Embedded, k: int) -> prdc.PRDC:
    return prdc.prdc(reference.features, fakes.features, k)


def quick(name: str, extractor: features.Extractor) -> tuple[str, Callable[[Embedded, Embedded], float]]:
    """(the score's name on these features, its function of reference and samples): fd, kid or a neighbourhood's."""
    if name == "fd":
        return features.distance_name(extractor), frechet_of
    if name == "kid":
        title = "KID" if extractor.name == "Inception" else f"KD-{extractor.name}"
        return title, lambda real, fakes: kernel_of(real, fakes, min(KID_SIZE, len(real.features), len(fakes.features)))
    k = NEIGHBOURS[name]
    return f"{name} ({extractor.name})", lambda real, fakes: getattr(neighbourhoods(real, fakes, k), name)


# ---- metrics ---------------------------------------------------------------------------------------------------------
def _check_frechet(subject: Subject) -> None:
    samples_at_least(2, "fd")(subject)
    if subject.extractor.dimension > LARGEST:
        raise UserError(
            f"a Fréchet distance on {subject.extractor.dimension} features needs covariances of that size; "
            f"use --features pca or lenet"
        )


def _other(subject: Subject) -> str:
    return "train" if subject.options.reference == "test" else "test"


def _fd(subject: Subject) -> list[Value]:
    values = repeats(subject, lambda r: frechet_of(subject.reference(), subject.fakes(r)))
    short = subject.count() <= subject.extractor.dimension
    note = {"note": "fewer samples than features: the covariance is singular and the bias large"} if short else {}
    name = features.distance_name(subject.extractor)
    if subject.source.split(_other(subject)).size < 2:
        return [over_repeats(name, values, details=note)]
    first, second = subject.reference().moments, subject.reference(_other(subject)).moments
    assert first is not None
    assert second is not None
    floor = frechet.distance(first, second)
    return [
        over_repeats(name, values, details=note),
        Value(f"{name} between train and test (real data)", floor, details={"null": True}),
    ]


def _fd_infinity(subject: Subject) -> list[Value]:
    moments = subject.reference().moments
    assert moments is not None

    def limit(repeat: int) -> float:
        return frechet.frechet_infinity(moments, subject.fakes(repeat).features, repeat).limit

    return [over_repeats(f"{features.distance_name(subject.extractor)}∞", repeats(subject, limit))]


def _check_infinity(subject: Subject) -> None:
    samples_at_least(2 * INFINITY_MINIMUM, "fd_infinity", reference=False)(subject)
    _check_frechet(subject)


def _kid(subject: Subject) -> list[Value]:
    name, function = quick("kid", subject.extractor)
    return [over_repeats(name, repeats(subject, lambda r: function(subject.reference(), subject.fakes(r))))]


def _check_logits(subject: Subject) -> None:
    samples_at_least(IS_SPLITS, "is", reference=False)(subject)
    if subject.extractor.logits is None or subject.extractor.name.endswith("by-channel"):
        name = subject.extractor.stamp["features"]
        raise UserError(f"is needs class probabilities, which --features {name} has not; use lenet:DATA or inception")


def _is(subject: Subject) -> list[Value]:
    found = [inception_score(subject.fakes(r).logits, IS_SPLITS) for r in range(subject.options.repeats)]
    extractor = subject.extractor
    name = "IS" if extractor.name == "Inception" else f"classifier score ({extractor.name})"
    spread = {"std_over_splits": [score.std for score in found]}
    return [over_repeats(name, [score.mean for score in found], details=spread)]


def _neighbours(name: str) -> Metric:
    k = NEIGHBOURS[name]

    def compute(subject: Subject) -> list[Value]:
        def one(repeat: int) -> float:
            place = "neighbourhoods", k, repeat
            if place not in subject.memory:
                subject.memory[place] = neighbourhoods(subject.reference(), subject.fakes(repeat), k)
            return getattr(subject.memory[place], name)

        return [over_repeats(f"{name} ({subject.extractor.name})", repeats(subject, one))]

    def stamp(subject: Subject) -> dict[str, Any]:
        return {**_stamp(subject, kept=True), "neighbours": k}

    return Metric(samples_at_least(k + 1, name), stamp, compute)


def _stamp(subject: Subject, kept: bool = False) -> dict[str, Any]:
    return {**feature_stamp(subject), **reference_stamp(subject, kept), **sample_stamp(subject)}


# ---- within classes --------------------------------------------------------------------------------------------------
def _check_classes(subject: Subject) -> None:
    _check_frechet(subject)
    classes = subject.source.classes
    if classes is None or subject.source.kind is not IMAGES:
        raise UserError(f"per_class_fd needs labelled images, and {subject.source.name} has none; use fd")
    least = LABELLED_AT_LEAST * classes
    if min(subject.count(), subject.split.size) < least:
        raise UserError(
            f"per_class_fd needs {LABELLED_AT_LEAST} examples a class, {least:,} of {classes} classes; this is "
            f"{subject.count():,} samples and {subject.split.size:,} reference examples"
        )
    if not subject.conditional and (
        subject.extractor.name != "LeNet" or subject.extractor.stamp["data_fingerprint"] != subject.source.fingerprint
    ):
        raise UserError("per_class_fd of a model without labels needs --features lenet, which sorts its samples")


def _per_class(subject: Subject) -> list[Value]:
    real, classes = subject.reference(), subject.source.classes
    assert classes is not None
    assert real.labels is not None
    rows = []
    for repeat in range(subject.options.repeats):
        fakes = subject.fakes(repeat)
        labels = fakes.labels if fakes.labels is not None else np.argmax(fakes.logits, axis=1)  # pyright: ignore
        seen = np.bincount(labels, minlength=classes)
        # A class that was dropped, or is hardly in the data, has no distance: it is named, and not averaged away.
        there = np.bincount(real.labels, minlength=classes)
        unlearnt = subject.source.unlearnt if subject.conditional else []  # what is asked of them was never learnt
        kept = [c for c in range(classes) if min(seen[c], there[c]) >= 2 and c not in unlearnt]
        distances = frechet.frechet_per_class(real.features, real.labels, fakes.features, labels, kept)
        rows.append([distances.get(label, np.nan) for label in range(classes)])
    table, name = np.array(rows), features.distance_name(subject.extractor)
    missing = np.flatnonzero(np.isnan(table).any(axis=0)).tolist()
    found = np.isfinite(table).sum(axis=0)
    by_class = np.where(found > 0, np.nansum(table, axis=0) / np.maximum(found, 1), np.nan)
    details = {"by_class": by_class.tolist()} | ({"missing classes": missing} if missing else {})
    return [
        over_repeats(f"{name} within classes, mean", np.nanmean(table, axis=1).tolist(), details=details),
        over_repeats(f"{name} within classes, worst", np.nanmax(table, axis=1).tolist()),
    ]


def _class_stamp(subject: Subject) -> dict[str, Any]:
    given = "as asked" if subject.conditional else "by the feature classifier"
    return {**_stamp(subject, kept=True), "sample classes": given}


FRECHET = Metric(_check_frechet, _stamp, _fd)
FRECHET_INFINITY = Metric(
    _check_infinity, lambda s: {**_stamp(s), "points": 15, "smallest subset": INFINITY_MINIMUM}, _fd_infinity
)
KERNEL = Metric(
    samples_at_least(KID_SIZE, "kid"),
    lambda s: {**_stamp(s, kept=True), "subsets": f"{KID_SUBSETS} of {KID_SIZE:,}"},
    _kid,
)
INCEPTION_SCORE = Metric(_check_logits, lambda s: {**feature_stamp(s), **sample_stamp(s), "splits": IS_SPLITS}, _is)
PRECISION, RECALL, DENSITY, COVERAGE = (_neighbours(name) for name in NEIGHBOURS)
PER_CLASS = Metric(_check_classes, _class_stamp, _per_class)
