"""Anomaly scores of a data set as a table: one row an example."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.core.lines import counted
from gen_jax.data import reading
from gen_jax.data.alike import alike
from gen_jax.data.source import Source, Split, evenly, joined
from gen_jax.runs.evaluation.subject import Subject
from gen_jax.runs.files import atomic_write_text
from gen_jax.runs.scores import named
from gen_jax.runs.scores.score import of_rows

ALL = "all"  # what is asked for to score train and test examples, as somebody's new data are


class Scored(NamedTuple):
    """Scores by name, [N] each, of the examples `rows` [N] of a split; `labels` where the data tell any."""

    data: str
    examples: Split
    places: np.ndarray  # [N], of those that were scored in `examples`
    rows: np.ndarray
    scores: Mapping[str, np.ndarray]
    labels: Sequence[str] | None
    splits: Sequence[str] | None = None  # of each example, where several were scored
    files: Sequence[str] | None = None  # what each was read from, where each is a file


def requested(names: str) -> list[str]:
    """The scores in "a,b,c", each once. Raises UserError for a name that is none, and where there is none at all."""
    asked = [name.strip().replace("-", "_") for name in names.split(",") if name.strip()]
    for name in asked:
        named.score(name)
    if not asked:
        raise UserError(f"--scores names no score; there are {', '.join(named.SCORES)}")
    return list(dict.fromkeys(asked))


def measure(subject: Subject, names: Sequence[str], of: str | None, split: str, count: int | None) -> Scored:
    """The scores of a split of the data `of` (the run's own by default), all checked before the first is measured.

    Raises UserError for data that are not of the run's kind (`data.alike`) or without such a split, and for a score
    that this model cannot have.
    """
    own = subject.source
    data = own if of is None else alike(own, subject.config, of, "--data", subject.algorithm.given)
    examples = _split(data, split)
    if count is not None and count > examples.size:
        raise UserError(
            f"--count {count}: {split} has {counted(examples.size, 'example')}; ask for 1 to {examples.size}"
        )
    rows = evenly(examples.size, count or examples.size)
    for name in names:
        named.score(name).check(subject)
    found = {}
    for name in names:
        score = named.score(name)
        try:
            found[name] = of_rows(score, score.make(subject), examples, rows, subject.devices)
        except UserError as error:
            raise UserError(f"{name}: {error}") from error
    labels = _labels(data, examples, rows)
    files = None if examples.files is None else [examples.files[row] for row in rows.tolist()]
    if split != ALL:
        return Scored(data.name, examples, rows, rows, found, labels, files=files)
    held_out = rows >= data.train.size
    names = np.where(held_out, "test", "train").tolist()
    numbers = np.where(held_out, rows - data.train.size, rows)
    return Scored(data.name, examples, rows, numbers, found, labels, names, files)


def _split(data: Source, name: str) -> Split:
    """A split by its name, or all that the data have."""
    return joined(data.train, data.test) if name == ALL else data.split(name)


def _labels(data: Source, examples: Split, rows: np.ndarray) -> list[str] | None:
    if data.classes is None:
        return None
    labels = examples.read(rows).get("label")
    return None if labels is None else [reading.class_name(data, k) if k >= 0 else "" for k in labels.tolist()]


def write(path: Path, found: Scored) -> None:
    """A CSV with a heading: the example's split where there are several, its number there, its file and its class where
    it has them, and its scores."""
    said = {"split": found.splits, "example": found.rows.tolist(), "file": found.files, "class": found.labels}
    columns = {name: values for name, values in said.items() if values is not None}
    columns |= {name: [f"{value:.9g}" for value in values] for name, values in found.scores.items()}
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(columns)
    lines.writerows(zip(*columns.values(), strict=True))
    atomic_write_text(path, text.getvalue())


def summary(values: np.ndarray) -> str:
    """Median, and the middle 90 %."""
    low, middle, high = np.quantile(values, [0.05, 0.5, 0.95])
    return f"median {middle:.5g}, 90 % between {low:.5g} and {high:.5g}"
