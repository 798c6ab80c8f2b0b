"""What an anomaly score is: a function of one example, made once from a trained model and its training data."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gen_jax.core import dealing, keys
from gen_jax.core.errors import UserError
from gen_jax.core.lines import counted
from gen_jax.core.types import Array, Batch, Weights
from gen_jax.data.feed import to_batch
from gen_jax.data.source import Split
from gen_jax.runs.evaluation.subject import Subject

BATCH = 250
Raw = Mapping[str, np.ndarray]  # examples as they are stored: "x" [B, *event], "label" [B], …
Rank = Callable[[Raw], np.ndarray]  # -> [B], higher is stranger
Single = Callable[[Weights, Batch, Array], Array]  # (weights, batch, key) -> [B]


class Score(NamedTuple):
    """A score. `check(subject)` raises UserError where this model or these data cannot have it, and is quick;
    `make(subject)` learns what it needs of training data; `stamp` is what its number depends on beside the model.
    """

    check: Callable[[Subject], object]
    make: Callable[[Subject], Rank]
    stamp: Callable[[Subject], dict[str, Any]] = lambda subject: {}
    batch: int = BATCH  # examples at once


def alone(function: Single, at_once: int | None = None) -> Single:
    """`function` of each example as a batch of one, all under the same key: what an example gets depends on nothing
    beside it, neither on its neighbours nor on its place. `at_once`: examples in memory together, all by default.
    """

    def each(weights: Weights, batch: Batch, key: Array) -> Array:
        def one(row: Batch) -> Array:
            return function(weights, {name: leaf[None] for name, leaf in row.items()}, key)[0]

        if at_once is None:
            return jax.vmap(one)(dict(batch))
        return jax.lax.map(one, dict(batch), batch_size=at_once)

    return each


def repeated(function: Single, draws: int) -> Single:
    """The mean of `function` over so many keys, made of the one that is given."""

    def mean(weights: Weights, batch: Batch, key: Array) -> Array:
        return jax.vmap(lambda own: function(weights, batch, own))(jax.random.split(key, draws)).mean(axis=0)

    return mean


def on_device(subject: Subject, function: Single, at_once: int | None = None) -> Rank:
    """The rank by a function of the model's weights, compiled; each of several devices ranks a part of the examples."""
    compiled = dealing.by_device(alone(function, at_once))
    key = keys.named(jax.random.key(subject.options.seed), "anomaly")

    def rank(raw: Raw) -> np.ndarray:
        return np.concatenate([*compiled(subject.weights, ((part, key) for part in parts(subject, raw)))])

    return rank


def parts(subject: Subject, raw: Raw) -> Iterator[Batch]:
    """Examples as batches: as many of equal size as there are devices, or one where they do not divide them."""
    count = subject.devices
    rows = len(raw["x"])
    each = rows // count if rows % count == 0 else rows
    for start in range(0, rows, each):
        yield to_batch({name: array[start : start + each] for name, array in raw.items()})


def value(subject: Subject, name: str, score: str) -> Single:
    """What the model's `evaluate` calls `name`, of every example. Raises UserError where it calls nothing so."""
    evaluate = subject.need("evaluate", score)
    batch = jax.eval_shape(to_batch, subject.split.read(np.arange(1)))
    key = jax.eval_shape(lambda: jax.random.key(0))
    found = jax.eval_shape(evaluate, subject.weights, batch, key)
    if name not in found:
        raise UserError(f"{score} needs a model that measures {name}; this one measures {', '.join(sorted(found))}")
    return lambda weights, batch, key: evaluate(weights, batch, key)[name]


def need_numbers(subject: Subject, score: str) -> None:
    """Raises UserError where columns of x are categories, whose numbers lie at no distance from one another."""
    if subject.source.kind.mixed:
        raise UserError(f"{score} measures distances, and {subject.source.name} has columns of categories; use model")


def of_rows(score: Score, rank: Rank, split: Split, rows: np.ndarray, devices: int = 1) -> np.ndarray:
    """The scores of these examples, float64 [N], in batches of one shape, one for each of so many devices at a time.
    Raises UserError where one is not finite."""
    found, gaps, size = [], 0, score.batch * devices
    for start in range(0, len(rows), size):
        wanted = rows[start : start + size]
        raw = split.read(np.resize(wanted, size))
        gaps += with_gaps(raw["x"][: len(wanted)])
        found.append(np.asarray(rank(raw), np.float64)[: len(wanted)])
    found = np.concatenate(found)
    if broken := int((~np.isfinite(found)).sum()):
        why = f"; {counted(gaps, 'example')} of them with missing values" if gaps else ""
        raise UserError(f"{broken} of {len(found)} anomaly scores are not finite, so they have no order{why}")
    return found


def with_gaps(x: np.ndarray) -> int:
    """How many of the examples [N, *event] miss a value."""
    return 0 if x.dtype == np.uint8 else int(np.isnan(x.reshape(len(x), -1)).any(axis=1).sum())


def flat(x: np.ndarray) -> np.ndarray:
    """Examples [B, *event] as the model sees them, [B, n] float32."""
    return floats(x).reshape(len(x), -1)


def floats(x: np.ndarray) -> np.ndarray:
    """Examples [B, *event] as the model sees them, float32."""
    from gen_jax.data.source import to_float

    return to_float(np.asarray(x)).astype(np.float32)


def squared(difference: Array) -> Array:
    """[B, ...] -> the sum of squares of each, [B]."""
    return jnp.sum(difference**2, axis=tuple(range(1, difference.ndim)))
