"""The protocol: which metrics, under which stamp, kept in evaluation.json as soon as each is known.

Every number carries how it was made, and a number whose stamp is there already is not measured again: an evaluation
that was interrupted goes on where it stopped, and one of other settings stands beside it.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import jax

from gen_jax.core import lines
from gen_jax.core.errors import UserError
from gen_jax.core.near import meant
from gen_jax.metrics import lenet
from gen_jax.runs import shapes, sources
from gen_jax.runs.evaluation import (
    anomalies,
    classifiers,
    codes,
    completion,
    copying,
    diversity,
    groups,
    likelihood,
    maps,
    pairs,
    predictions,
    probes,
    rows,
    scores,
)
from gen_jax.runs.evaluation.cache import key_of
from gen_jax.runs.evaluation.metric import Metric, Value
from gen_jax.runs.evaluation.names import NAMES
from gen_jax.runs.evaluation.subject import Subject
from gen_jax.runs.files import atomic_write_json, plain

FILE = "evaluation.json"
PACKAGES = ("gen_jax", "jax", "jaxlib", "flax", "numpy", "scipy", "scikit-learn")
# What a person may write after --metrics, as `names.NAMES` tells them.
METRICS: dict[str, Metric] = {
    "held_out": likelihood.HELD_OUT,
    "fd": scores.FRECHET,
    "fd_infinity": scores.FRECHET_INFINITY,
    "kid": scores.KERNEL,
    "is": scores.INCEPTION_SCORE,
    "precision": scores.PRECISION,
    "recall": scores.RECALL,
    "density": scores.DENSITY,
    "coverage": scores.COVERAGE,
    "per_class_fd": scores.PER_CLASS,
    "cas": classifiers.CAS,
    "modes": classifiers.MODES,
    "authpct": copying.AUTHENTICITY,
    "ct": copying.COPY_TEST,
    "nearest": copying.NEAREST,
    "ms_ssim": diversity.MS_SSIM,
    "ppl": diversity.PATH_LENGTH,
    "psnr": pairs.PSNR,
    "ssim": pairs.SSIM,
    "nll": likelihood.NLL,
    "bits_per_dim": likelihood.BITS,
    "accuracy": predictions.ACCURACY,
    "auroc": anomalies.AUROC,
    "average_precision": anomalies.AVERAGE_PRECISION,
    "fpr95": anomalies.FPR95,
    "latents": codes.LATENTS,
    "probe": probes.PROBE,
    "clusters": groups.CLUSTERS,
    "map": maps.MAP,
    "disentanglement": codes.DISENTANGLEMENT,
    "nrmse": completion.NRMSE,
    "completion_psnr": completion.PSNR,
    "missing_nll": completion.MISSING_NLL,
    "interval_coverage": completion.INTERVALS,
    "completion_diversity": completion.DIVERSITY,
    "utility": rows.UTILITY,
    "column_shapes": rows.COLUMN_SHAPES,
    "pair_trends": rows.PAIR_TRENDS,
    "detection": rows.DETECTION,
    "closest_record": rows.CLOSEST_RECORD,
}
assert tuple(METRICS) == NAMES, "names.NAMES and protocol.METRICS name different metrics"


class Model(NamedTuple):
    """Which weights of a run: a checkpoint's step, raw or averaged, and the hash of what was measured."""

    step: int
    weights: str  # "ema" or "raw"
    digest: str


def model_of(subject: Subject, step: int, kind: str) -> Model:
    return Model(step, kind, lenet.weight_hash(subject.weights))


def requested(names: str | None, subject: Subject) -> list[str]:
    """The metrics in "a,b,c", in the order of `METRICS`; the default ones where nothing was asked for.

    Raises UserError for a name that is none, and for features that were asked for and cannot be had.
    """
    if names is None:
        _need_features(subject)
        return possible(default(subject), subject)
    asked = [name.strip().replace("-", "_") for name in names.split(",") if name.strip()]
    check_names(asked)
    if not asked:
        raise UserError(f"--metrics names no metric; there are {', '.join(METRICS)}")
    _need_features(subject)
    return [name for name in METRICS if name in asked]


def _need_features(subject: Subject) -> None:
    if subject.options.features != "auto":
        _ = subject.extractor


def check_names(names: Iterable[str]) -> None:
    """Raises UserError for a name that is no metric, with the one that comes close."""
    for name in names:
        if name not in METRICS:
            raise UserError(f"there is no metric {name!r}; {meant(name, METRICS)}there are {', '.join(METRICS)}")


def default(subject: Subject) -> list[str]:
    """What suits the model and its data: held-out measures, samples against the reference, latents, modes."""
    algorithm, source = subject.algorithm, subject.source
    chosen = {"held_out"} if algorithm.evaluate else set()
    if "prior" in algorithm.samplers or subject.options.sampler != "prior":
        counted = source.modes is not None or (classifiers.is_stacked(subject) and source.classes is not None)
        chosen |= {"modes"} if counted else set()
        chosen |= set(source.kind.scores)
    chosen |= {"latents"} if algorithm.encode else set()
    chosen |= {"accuracy"} if algorithm.classify and source.classes is not None else set()
    chosen |= {"clusters"} if algorithm.cluster and source.classes is not None else set()
    if not chosen:
        raise UserError("this model can neither sample, encode nor be evaluated, so there is nothing to measure")
    return [name for name in METRICS if name in chosen]


def possible(names: Sequence[str], subject: Subject) -> list[str]:
    """Those of the metrics that these data and this model allow; what is left out, and why, is told in a line.

    Raises UserError where none is left.
    """
    reasons: dict[str, str] = {}
    for name in names:
        try:
            METRICS[name].check(subject)
        except UserError as error:
            reasons[name] = str(error)
    if len(reasons) == len(names):
        raise UserError(next(iter(reasons.values())))
    if reasons:
        lines.say(f"left out: {_left_out(reasons)}")
    return [name for name in names if name not in reasons]


def _left_out(reasons: Mapping[str, str]) -> str:
    """Metric to why, as one line: each reason once, reasons with the same advice together. One that does not say what
    it is about gets the names of its metrics."""
    by_advice: dict[str, list[str]] = {}
    for reason in dict.fromkeys(reasons.values()):
        what, _, advice = reason.rpartition("; ")
        whose = ", ".join(name for name, each in reasons.items() if each == reason)
        by_advice.setdefault(advice, []).append(what or whose)
    return "; ".join(f"{', '.join(what)} ({advice})" for advice, what in by_advice.items())


def run(subject: Subject, names: Sequence[str], model: Model, path: Path, say: Any = None) -> dict[str, Any]:
    """Measure what is not in the file `path` yet; the results of these metrics, and which were measured now.

    All metrics are checked before the first is measured. Each is written as soon as it is known.
    """
    say = say or (lambda line: print(line, file=sys.stderr, flush=True))
    if subject.options.repeats < 1:
        raise UserError(f"--repeats {subject.options.repeats}: ask for 1 or more sample sets; 5 give an interval")
    if subject.options.samples is not None and subject.options.samples < 1:
        raise UserError(f"--samples {subject.options.samples}: ask for 1 or more")
    for name in names:
        METRICS[name].check(subject)
    there = _still_true(shapes.read(path, shapes.EVALUATION, default={}).get("results", []), model)
    wanted, measured = [], []
    for name in names:
        protocol = stamp(subject, name, model)
        key = key_of({"metric": name, **protocol})
        found = [result for result in there if result.get("key") == key]
        if not found:
            say(f"measuring {name} …")
            found = [_result(value, name, key, protocol) for value in METRICS[name].compute(subject)]
            there += found
            atomic_write_json(path, {"results": there})
            measured.append(name)
        wanted += found
    return {"results": plain(wanted), "measured": measured}


def stamp(subject: Subject, name: str, model: Model) -> dict[str, Any]:
    """How a metric is measured here, field by field: the same stamp, the same number."""
    whose = {
        "data": subject.source.name,
        "fingerprint": subject.source.fingerprint[:16],
        # The same samples at another rate are other sounds, and the fingerprint is of samples alone.
        **({} if subject.source.kind.rate is None else {"sampling rate": f"{subject.source.kind.rate:,} Hz"}),
        "step": model.step,
        "weights": model.weights,
        "model": model.digest,
        "seed": subject.options.seed,
    }
    own = METRICS[name].stamp(subject)
    assert not own.keys() & whose.keys(), f"{name} would overwrite {sorted(own.keys() & whose.keys())} in its stamp"
    return plain({**whose, **own, "platform": jax.default_backend(), "packages": packages()})


def packages() -> str:
    """Names and versions of what the numbers depend on, gen_jax's with the mark of its source."""
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {sources.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return ", ".join(found)


def _result(value: Value, metric: str, key: str, protocol: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": value.name,
        "value": value.value,
        "interval": value.interval,
        "interval_kind": value.interval_kind,
        "unit": value.unit,
        "metric": metric,
        "key": key,
        "details": value.details,
        "protocol": protocol,
    }


def _still_true(results: Iterable[dict[str, Any]], model: Model) -> list[dict[str, Any]]:
    """The results but those of weights that are no more: of the same step, and another hash; and of older formats."""
    return [
        result
        for result in results
        if "key" in result
        and (made := result.get("protocol") or {})
        and (
            (made.get("step"), made.get("weights")) != (model.step, model.weights) or made.get("model") == model.digest
        )
    ]
