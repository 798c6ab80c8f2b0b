"""Which latents a traversal shows: single entries moved from end to end, or the codes that a model has beside noise."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gen_jax.core.types import Code


class Rows(NamedTuple):
    """`latents` [rows, frames, d], float32: what each row of pictures is made from; `names`, one a row."""

    names: list[str]
    latents: np.ndarray


class Way(NamedTuple):
    """How far: at most `rows` rows of `frames` pictures, `extent` standard deviations of the prior each way."""

    rows: int
    frames: int
    extent: float


def entries(base: np.ndarray, used: np.ndarray | None, way: Way) -> Rows:
    """Single entries of `base` [d] over [-extent, extent]; with `used`, nats of KL by entry, the most used first."""
    count = min(way.rows, base.shape[0])
    order = np.arange(count) if used is None else np.argsort(-used)[:count]
    names = [f"z{d}" if used is None else f"z{d}  {used[d]:.2f} nats" for d in order]
    return Rows(names, _moved(base, order, np.linspace(-way.extent, way.extent, way.frames)))


def codes(base: np.ndarray, known: Sequence[Code], way: Way) -> Rows:
    """A row a code, from `base` [d]: of categories a picture each, in order; of a number, over `extent` of its standard
    deviations each way. Where there are categories, rows are as long as the most of them.
    """
    frames = max((code.size for code in known if code.categories), default=way.frames)
    names, rows = [], []
    for code in known:
        place = slice(code.start, code.start + code.size)
        if code.categories:
            row = np.tile(base, (frames, 1))
            row[:, place] = np.eye(code.size, dtype=np.float32)[np.arange(frames) % code.size]
            names, rows = [*names, code.name], [*rows, row[None]]
        else:
            ends = way.extent * code.deviation
            names += [f"{code.name} {number}" for number in range(code.size)]
            rows.append(_moved(base, np.arange(code.start, code.start + code.size), np.linspace(-ends, ends, frames)))
    return Rows(names[: way.rows], np.concatenate(rows)[: way.rows])


def _moved(base: np.ndarray, order: np.ndarray, values: np.ndarray) -> np.ndarray:
    """[len(order), len(values), d]: in each row one entry of base takes the values."""
    latents = np.tile(np.asarray(base, np.float32), (len(order), len(values), 1))
    latents[np.arange(len(order))[:, None], np.arange(len(values))[None], order[:, None]] = values
    return latents
