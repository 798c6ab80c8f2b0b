"""What classifiers say of samples: classification accuracy score both ways, and the modes that samples cover."""

from typing import Any

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.data import source as sources
from gen_jax.data.kinds import IMAGES
from gen_jax.metrics import lenet, modes
from gen_jax.metrics.classification import Predict, classification_scores
from gen_jax.metrics.features import Extractor, as_uint8, by_channel
from gen_jax.runs.abilities import of_classes
from gen_jax.runs.evaluation import extractors
from gen_jax.runs.evaluation.metric import Metric, Value, of_proportion, over_repeats
from gen_jax.runs.evaluation.scores import sample_stamp
from gen_jax.runs.evaluation.subject import Subject

MIXTURE_SAMPLES, STACKED_SAMPLES = 2_500, 26_000  # of the published tables


# ---- classification accuracy score -----------------------------------------------------------------------------------
def _check_cas(subject: Subject) -> None:
    subject.need_samples("cas")
    if subject.source.classes is None or subject.source.kind is not IMAGES:
        raise UserError(f"cas needs labelled images, and {subject.source.name} has none")
    if not subject.conditional and (able := of_classes(subject.algorithm)):
        raise UserError(f"cas needs samples whose class is known; add --sampler {able}")
    if not subject.conditional:
        raise UserError("cas needs samples whose class is known: a conditional model, such as cgan, acgan or cvae")
    if subject.count(subject.source.train.size) < 64:
        raise UserError("cas trains a classifier on the samples and needs 64 of them or more; use --samples 1000")


def _cas_stamp(subject: Subject) -> dict[str, Any]:
    source = subject.source
    return {
        **sample_stamp(subject, subject.count(source.train.size)),
        "repeats": 1,
        "classifier": lenet.ARCHITECTURE,
        "real train": source.train.size,
        "real test": int(_learnt(source, sources.whole(source.test)["label"]).sum()),
        **({"classes left out, without training images": source.unlearnt} if source.unlearnt else {}),
    }


def _learnt(source: sources.Source, labels: np.ndarray) -> np.ndarray:
    """Which of the labels, bool [N], are of classes that have examples to train on."""
    return ~np.isin(labels, source.unlearnt)


def _cas(subject: Subject) -> list[Value]:
    told = extractors.told(subject.source, subject.config)
    train, test = (sources.whole(split) for split in (told.train, told.test))
    images, labels = subject.images(subject.count(subject.source.train.size))
    assert labels is not None
    learnt, known = (_learnt(subject.source, each) for each in (labels, test["label"]))
    generated = as_uint8(images)[learnt], labels[learnt]
    real = train["x"], train["label"]

    def fit(images: np.ndarray, labels: np.ndarray) -> Predict:
        if images is real[0]:  # the same classifier as of the lenet features: trained once
            logits = extractors.lenet_of(told, subject.config.data).logits
            assert logits is not None
            return lambda seen: logits(seen).argmax(axis=1)
        trained = lenet.train_classifier(images, labels)
        return lambda seen: lenet.apply(trained, seen)[1].argmax(axis=1)

    found = classification_scores(fit, real, (test["x"][known], test["label"][known]), generated)
    return [
        of_proportion("CAS: trained on samples, tested on real", found.train_generated),
        of_proportion("trained on real, tested on samples", found.train_real),
        of_proportion("trained on real, tested on real", found.reference),
    ]


# ---- modes -----------------------------------------------------------------------------------------------------------
def is_stacked(subject: Subject) -> bool:
    return subject.config.data.startswith(extractors.STACKED)


def _mode_samples(subject: Subject) -> int:
    return subject.count(STACKED_SAMPLES if is_stacked(subject) else MIXTURE_SAMPLES)


def _check_modes(subject: Subject) -> None:
    subject.need_samples("modes")
    if subject.source.modes is None and not is_stacked(subject):
        raise UserError(f"modes are known of ring8, grid25 and stacked:SOURCE only, not of {subject.source.name}")
    if is_stacked(subject) and subject.source.classes is None:
        raise UserError(f"modes of {subject.source.name} need labelled digits to tell them apart")


def _digits(subject: Subject) -> Extractor:
    """The classifier of each channel of stacked digits."""
    base = extractors.base_of(subject.config)
    return by_channel(extractors.lenet_of(base, base.name), subject.source.shape[-1])


def _mode_stamp(subject: Subject) -> dict[str, Any]:
    stamp = sample_stamp(subject, _mode_samples(subject))
    if is_stacked(subject):
        known = _digits(subject).stamp
        return stamp | {"classifier": known["features"], "classifier weights": known["weights"],
                        "classifier test accuracy": known["test_accuracy"]}  # fmt: skip
    return stamp | {"good": "within 3 σ of the nearest mode"}


def _modes(subject: Subject) -> list[Value]:
    count, found = _mode_samples(subject), []
    logits = _digits(subject).logits if is_stacked(subject) else None
    for repeat in range(subject.options.repeats):
        if logits is not None:
            answers = [logits(images) for images, _ in subject.batches(count, repeat)]
            found.append(modes.stacked_modes(np.concatenate(answers)))
        else:
            mixture = subject.source.modes
            assert mixture is not None
            found.append(modes.mixture_modes(subject.images(count, repeat)[0], mixture.centres, mixture.sigma))
    total = len(found[0].histogram)
    histogram = found[0].histogram.tolist() if total <= 100 else None
    values = [
        over_repeats(f"modes of {total:,}", [report.modes for report in found], details={"histogram": histogram}),
        over_repeats("reverse KL of modes", [report.reverse_kl for report in found], "nats"),
    ]
    if logits is None:
        values.insert(1, over_repeats("good samples", [100 * report.good for report in found], "%"))
    return values


CAS = Metric(_check_cas, _cas_stamp, _cas)
MODES = Metric(_check_modes, _mode_stamp, _modes)
