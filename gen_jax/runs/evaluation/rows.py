"""Measures of made rows of a table: what they are good for, how alike columns and pairs are, and whether they copy.

Rows are looked at as the table would write them (`columns.settled`). The floor SMOTE stands beside each number that it
is hard to beat by, and is as many rows.
"""

import functools
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.core.lines import visible
from gen_jax.data import columns as columns_
from gen_jax.data.reading import short
from gen_jax.data.source import digest, whole
from gen_jax.data.table import TableSource
from gen_jax.metrics.closest_record import closest
from gen_jax.metrics.column_shapes import column_shapes
from gen_jax.metrics.detection import detection
from gen_jax.metrics.pair_trends import pair_trends
from gen_jax.metrics.rows import Features, Kinds, features, mean_of, some
from gen_jax.metrics.smote import smote
from gen_jax.metrics.utility import utility
from gen_jax.runs.evaluation.metric import Metric, Value, over_repeats
from gen_jax.runs.evaluation.scores import sample_stamp
from gen_jax.runs.evaluation.subject import Subject
from gen_jax.runs.tables import need_table

DISTANCES = 2_000  # rows whose closest records are sought
JUDGED = 10_000  # of each side, that the detector sees


def kinds_of(table: TableSource) -> Kinds:
    return Kinds(tuple(len(column.categories) for column in table.columns))


def real_rows(table: TableSource, split: str) -> np.ndarray:
    """float64 [N, D] in the table's units, as they are written there."""
    return columns_.real(whole(table.split(split))["x"], table.columns)


def target_of(table: TableSource) -> int:
    """The number of the target column. Raises UserError where nobody named one."""
    names = [column.name for column in table.columns]
    if table.target is None:
        raise UserError(
            f"utility predicts a column, and nobody said which; train with --columns NAME=target, one of "
            f"{short(names, 20)} (or `target` in the file of --columns)"
        )
    return names.index(table.target)


def _check(metric: str) -> Callable[[Subject], None]:
    def check(subject: Subject) -> None:
        need_table(subject.source, metric)
        subject.need_samples(metric)

    return check


def _check_utility(subject: Subject) -> None:
    _check("utility")(subject)
    table = need_table(subject.source, "utility")
    known = real_rows(table, "test")[:, target_of(table)]
    if not (np.isfinite(known) & ~((known < 0) & bool(kinds_of(table).categories[target_of(table)]))).any():
        raise UserError(
            f"utility tests on held-out rows, and none of them has a known {visible(str(table.target))}; give rows "
            "that have one (`test` in the file of --columns)"
        )
    if subject.options.reference != "test":
        raise UserError("utility learns from made rows and tests on held-out ones; leave --reference out")


def _stamp(targeted: bool = False, **more: Any) -> Callable[[Subject], dict[str, Any]]:
    """`targeted`: of a measure that looks at the target column, which no fingerprint of the data knows."""

    def stamp(subject: Subject) -> dict[str, Any]:
        table = need_table(subject.source, "rows")
        own = {"samples": _count(subject), "reference": subject.options.reference, "columns": columns_stamp(table)}
        target = {"target": table.target or "none"} if targeted else {}
        return {**sample_stamp(subject), **own, **target, **more}

    return stamp


def columns_stamp(table: TableSource) -> str:
    """How the columns are looked at: how many of each kind, and a mark of each one's kind and decimals, to which made
    rows are rounded and which no fingerprint of a table of numbers alone knows."""
    counts = Counter(column.kind for column in table.columns)
    mark = digest(*((column.name, column.kind, column.decimals) for column in table.columns))[:8]
    return f"{', '.join(f'{counts[kind]} {kind}' for kind in sorted(counts))} ({mark})"


def _count(subject: Subject) -> int:
    """As many as train rows, 10,000 at most, where nobody says another number."""
    return subject.count(min(subject.source.train.size, 10_000))


def _made(subject: Subject, repeat: int) -> np.ndarray:
    """A sample set as the table would write it, drawn once."""
    place = "made rows", repeat
    if place not in subject.memory:
        table = need_table(subject.source, "rows")
        x, _ = subject.images(_count(subject), repeat)
        subject.memory[place] = columns_.settled(x, table.columns)
    return subject.memory[place]


def _repeated(subject: Subject, of: Callable[[np.ndarray, int], float]) -> list[float]:
    return [of(_made(subject, repeat), repeat) for repeat in range(subject.options.repeats)]


def _prepared(subject: Subject) -> tuple[TableSource, Kinds, np.ndarray, np.ndarray, Features]:
    """What all of these measures look at, made once."""
    if "real rows" not in subject.memory:
        table = need_table(subject.source, "rows")
        kinds, train, real = kinds_of(table), real_rows(table, "train"), real_rows(table, subject.options.reference)
        subject.memory["real rows"] = table, kinds, train, real, features(train, kinds)
    return subject.memory["real rows"]


def _floor(subject: Subject, target: int | None) -> np.ndarray:
    if ("smote", target) not in subject.memory:
        _, _, train, _, vectors = _prepared(subject)
        subject.memory["smote", target] = smote(train, _count(subject), vectors, target, subject.options.seed)
    return subject.memory["smote", target]


def _target(table: TableSource) -> int | None:
    return None if table.target is None else target_of(table)


def _utility(subject: Subject) -> list[Value]:
    table, kinds, train, test, _ = _prepared(subject)
    target = target_of(table)
    score = functools.partial(utility, test=test, kinds=kinds, target=target)
    each = [score(_made(subject, repeat), seed=repeat) for repeat in range(subject.options.repeats)]
    real, floor = score(train), score(_floor(subject, target))
    values = []
    for name in real:
        values.append(over_repeats(f"utility, {name}", [found[name] for found in each]))
        values.append(Value(f"utility, {name}: real rows", real[name], details={"null": True}))
        values.append(Value(f"utility, {name}: SMOTE", floor[name], details={"null": True}))
    return values


def _shapes(subject: Subject) -> list[Value]:
    table, kinds, train, real, _ = _prepared(subject)
    of = functools.partial(column_shapes, real, kinds=kinds)
    each = [of(_made(subject, repeat)) for repeat in range(subject.options.repeats)]
    details = {c.name: float(v) for c, v in zip(table.columns, np.mean(each, axis=0), strict=True)}
    null = mean_of(of(_null(subject, train)).tolist())
    return [
        over_repeats("column shapes", [mean_of(found.tolist()) for found in each], details=details),
        Value("column shapes: other real rows", null, details={"null": True}),
    ]


def _trends(subject: Subject) -> list[Value]:
    _, kinds, train, real, _ = _prepared(subject)

    def of(rows: np.ndarray, repeat: int = 0) -> float:
        return mean_of(list(pair_trends(real, rows, kinds).values()))

    return [
        over_repeats("pair trends", _repeated(subject, of)),
        Value("pair trends: other real rows", of(_null(subject, train)), details={"null": True}),
    ]


def _null(subject: Subject, train: np.ndarray) -> np.ndarray:
    """Real rows of the other split, as many as are made."""
    table = need_table(subject.source, "rows")
    other = train if subject.options.reference == "test" else real_rows(table, "test")
    return some(other, _count(subject), subject.options.seed)


def _detection(subject: Subject) -> list[Value]:
    _, _, train, real, vectors = _prepared(subject)

    def of(rows: np.ndarray, repeat: int = 0) -> float:
        return detection(some(real, JUDGED, repeat), some(rows, JUDGED, repeat), vectors, repeat)

    return [
        over_repeats("detection AUC (.5: not told apart)", _repeated(subject, of)),
        Value("detection AUC: other real rows", of(_null(subject, train)), details={"null": True}),
    ]


def _closest(subject: Subject) -> list[Value]:
    table, _, train, _, vectors = _prepared(subject)

    def of(rows: np.ndarray, repeat: int = 0) -> float:
        return float(np.median(closest(some(rows, DISTANCES, repeat), train, vectors)))

    held_out = of(real_rows(table, "test"))
    return [
        over_repeats("distance to the closest record, median", _repeated(subject, of)),
        Value("distance to the closest record: held-out rows", held_out, details={"null": True}),
        Value("distance to the closest record: SMOTE", of(_floor(subject, _target(table))), details={"null": True}),
    ]


UTILITY = Metric(_check_utility, _stamp(targeted=True, models="HistGradientBoosting, logistic or ridge"), _utility)
COLUMN_SHAPES = Metric(_check("column_shapes"), _stamp(), _shapes)
PAIR_TRENDS = Metric(_check("pair_trends"), _stamp(), _trends)
DETECTION = Metric(_check("detection"), _stamp(most=JUDGED), _detection)
CLOSEST_RECORD = Metric(_check("closest_record"), _stamp(targeted=True, most=DISTANCES), _closest)
