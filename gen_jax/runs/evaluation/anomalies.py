"""Whether a model tells strange examples from normal ones: how an anomaly score (`runs.scores`) ranks the two."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.data import load, reading
from gen_jax.data.alike import alike
from gen_jax.data.one_class import REST
from gen_jax.data.source import Source, Split, evenly, whole
from gen_jax.metrics import classification
from gen_jax.runs.evaluation.metric import Metric, Value
from gen_jax.runs.evaluation.subject import KEPT, Subject
from gen_jax.runs.scores import named
from gen_jax.runs.scores.score import of_rows

CLASS = "class:"
RESTS = "rest"
HOW = (
    "say what is strange: --against DATA (another data set of the same shape), --against class:NUMBER, or, of a run of "
    "one class (--normal-class), --against rest"
)
RECALL = 0.95  # of the strange examples, at which false alarms are counted


def sides(subject: Subject, metric: str) -> Mapping[str, tuple[Split, np.ndarray]]:
    """The "normal" and the "strange" examples, as rows of their splits, spread evenly and at most `KEPT` of each."""
    against, split = subject.options.against, subject.split
    if against is None and REST in subject.source.others:
        against = RESTS  # of a run of one class there is no doubt
    if against is None:
        raise UserError(f"{metric} tells other examples from the reference; {HOW}")
    if against == RESTS:
        return _rest(subject, against)
    if against.startswith(CLASS):
        return _of_class(subject, against, metric)
    if "against" not in subject.memory:
        other = alike(subject.source, subject.config, against, "--against", subject.algorithm.given)
        if _is_own(subject, other):
            raise UserError(f"--against {against}: these are the run's own data, so nothing is strange in them; {HOW}")
        subject.memory["against"] = other
    other = subject.memory["against"]
    return {"normal": _spread(split), "strange": _spread(other.split(subject.options.reference))}


def _is_own(subject: Subject, other: Source) -> bool:
    """Whether these are the data that the run learns from, or learns a class of: what is normal would be among them."""
    try:
        learnt = load.narrowed(other, subject.config)
    except UserError:  # they do not have the class, or not so many labels
        return False
    return subject.source.fingerprint in (other.fingerprint, learnt.fingerprint)


def _rest(subject: Subject, against: str) -> Mapping[str, tuple[Split, np.ndarray]]:
    if REST not in subject.source.others:
        raise UserError(f"--against {against}: this run knows no rest, for it was not trained on one class; {HOW}")
    return {"normal": _spread(subject.split), "strange": _spread(subject.source.split(REST))}


def _of_class(subject: Subject, against: str, metric: str) -> Mapping[str, tuple[Split, np.ndarray]]:
    source, split = subject.source, subject.split
    if source.classes is None:
        raise UserError(f"{metric} --against {against} needs labelled data, and {source.name} has no labels")
    number = reading.class_number(source, against.removeprefix(CLASS))
    if number is None:
        names = f" ({reading.short(source.names, 12)})" if source.names else ""
        raise UserError(f"--against {against}: {source.name} has classes 0 to {source.classes - 1}{names}")
    labels = np.asarray(whole(split)["label"])
    rows = {"normal": np.flatnonzero(labels != number), "strange": np.flatnonzero(labels == number)}
    if empty := [name for name, found in rows.items() if not len(found)]:
        raise UserError(f"--against {against}: {subject.options.reference} has no {empty[0]} examples then")
    return {name: (split, found[evenly(len(found), KEPT)]) for name, found in rows.items()}


def _spread(split: Split) -> tuple[Split, np.ndarray]:
    return split, evenly(split.size, KEPT)


def _check(metric: str):
    def check(subject: Subject) -> None:
        named.score(subject.options.score).check(subject)
        sides(subject, metric)

    return check


def _stamp(metric: str):
    def stamp(subject: Subject) -> dict[str, Any]:
        found, score = sides(subject, metric), named.score(subject.options.score)
        against = subject.options.against or (RESTS if REST in subject.source.others else "")
        stamp = {"reference": subject.options.reference, "against": against, "score": subject.options.score}
        stamp |= {f"score: {name}": value for name, value in score.stamp(subject).items()}
        if "against" in subject.memory:
            stamp["against fingerprint"] = subject.memory["against"].fingerprint[:16]
        return stamp | {f"{name} examples": len(rows) for name, (_, rows) in found.items()}

    return stamp


def ranked(subject: Subject, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """(scores [N], whether each is of a strange example [N]): measured once for all metrics."""
    if "anomalies" not in subject.memory:
        score = named.score(subject.options.score)
        rank, found = score.make(subject), {}
        for side, (split, rows) in sides(subject, metric).items():
            try:
                found[side] = of_rows(score, rank, split, rows, subject.devices)
            except UserError as error:
                raise UserError(f"{metric}: {error}") from error
        scores = np.concatenate([found["normal"], found["strange"]])
        subject.memory["anomalies"] = scores, np.arange(len(scores)) >= len(found["normal"])
    return subject.memory["anomalies"]


def _auroc(subject: Subject) -> list[Value]:
    scores, strange = ranked(subject, "auroc")
    area = classification.auroc(scores, strange)
    return [Value("AUROC", area.value, None if np.isnan(area.low) else area.ends, "95 % DeLong, over examples")]


def _average_precision(subject: Subject) -> list[Value]:
    scores, strange = ranked(subject, "average_precision")
    found = classification.average_precision(scores, strange)
    share = {"share of strange examples": float(strange.mean())}
    return [Value("average precision", found.value, found.ends, "95 % bootstrap over examples", details=share)]


def _fpr95(subject: Subject) -> list[Value]:
    scores, strange = ranked(subject, "fpr95")
    found = classification.false_alarms(scores, strange, RECALL)
    details = {"true positive rate": RECALL}
    return [Value("FPR at 95 % TPR", found.value, found.ends, "95 % bootstrap over examples", details=details)]


AUROC = Metric(_check("auroc"), _stamp("auroc"), _auroc)
AVERAGE_PRECISION = Metric(_check("average_precision"), _stamp("average_precision"), _average_precision)
FPR95 = Metric(_check("fpr95"), _stamp("fpr95"), _fpr95)
