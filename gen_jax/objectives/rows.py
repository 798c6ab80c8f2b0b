"""Rows of a table as networks see them (Xu et al. 2019, section 4.2), there and back, inside the compiled step.

An encoded row is [alphas | choices of columns with K of them | of those with the next K | ...]: of a number how far it
lies from the centre of the mode it belongs to, in [-1, 1]; of every column which of its choices it is, one-hot: modes
of a number, categories, and a last one where values can be missing. Columns of as many choices stand together, so that
a table of a thousand columns is a handful of array operations.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from gen_jax.core import keys
from gen_jax.core.errors import UserError

BOUND = 0.99  # of alphas: tanh reaches 1 nowhere
SMALLEST = 1e-20  # of a uniform draw whose logarithm is taken twice


class Choices(Protocol):
    """How one column falls into K choices; float arrays [K] in units of x. `data.modes` fits them."""

    @property
    def centre(self) -> np.ndarray: ...
    @property
    def deviation(self) -> np.ndarray: ...
    @property
    def weight(self) -> np.ndarray: ...
    @property
    def spread(self) -> np.ndarray: ...
    @property
    def missing(self) -> bool: ...
    @property
    def category(self) -> bool: ...


class Group(NamedTuple):
    """n columns of K choices each. Arrays are [n, K], and 0 at the choice that stands for what is missing."""

    columns: np.ndarray  # int [n], of x
    centre: np.ndarray
    deviation: np.ndarray
    log_weight: np.ndarray
    spread: np.ndarray
    missing: np.ndarray  # bool
    category: np.ndarray  # bool [n]

    @property
    def size(self) -> int:
        return self.centre.size


class Layout(NamedTuple):
    """What is where in an encoded row."""

    columns: int  # of x
    numbers: np.ndarray  # int [n]: the columns that have an alpha
    groups: tuple[Group, ...]

    @property
    def width(self) -> int:
        return len(self.numbers) + sum(group.size for group in self.groups)

    @property
    def conditions(self) -> np.ndarray:
        """int [C]: where in a row the choices of the columns of categories stand, by column."""
        found, start = {}, len(self.numbers)
        for group in self.groups:
            wide = group.centre.shape[1]
            for number, column in enumerate(group.columns):
                if group.category[number]:
                    found[int(column)] = start + number * wide + np.arange(wide)
            start += group.size
        return np.concatenate([found[column] for column in sorted(found)]) if found else np.zeros(0, np.int64)


def layout(columns: Sequence[Choices]) -> Layout:
    """The layout of rows whose columns fall into these choices. Raises UserError where there is no column."""
    if not columns:
        raise UserError("a table needs a column")
    counts = [len(each.centre) + each.missing for each in columns]
    groups = []
    for wide in sorted(set(counts)):
        own = np.array([place for place, count in enumerate(counts) if count == wide])
        parts = {name: np.stack([_padded(columns[i], name) for i in own]) for name in ("centre", "deviation", "weight")}
        with np.errstate(divide="ignore"):
            log_weight = np.log(parts["weight"])
        spread = np.stack([_padded(columns[i], "spread") for i in own])
        missing = np.stack([np.arange(wide) >= len(columns[i].centre) for i in own])
        deviation = np.where(missing, 1.0, parts["deviation"]).astype(np.float32)
        category = np.array([columns[i].category for i in own])
        groups.append(Group(own, parts["centre"], deviation, log_weight, spread, missing, category))
    numbers = np.array([place for place, each in enumerate(columns) if each.spread.any()], np.int64)
    return Layout(len(columns), numbers, tuple(groups))


def _padded(column: Choices, name: str) -> np.ndarray:
    values = np.asarray(getattr(column, name), np.float32)
    return np.append(values, np.float32(0.0)) if column.missing else values


def gumbel(key: jax.Array, count: int, *shape: int) -> jax.Array:
    """Standard Gumbel noise [count, *shape], one stream an example."""
    return -jnp.log(-jnp.log(keys.uniform(key, count, *shape, minval=SMALLEST)))


def split(layout: Layout, rows: jax.Array) -> tuple[jax.Array, list[jax.Array]]:
    """(alphas [B, n], [B, columns, K] of each group) of encoded rows, or of a network's outputs in their place."""
    start = len(layout.numbers)
    alphas, parts = rows[:, :start], []
    for group in layout.groups:
        parts.append(rows[:, start : start + group.size].reshape(rows.shape[0], *group.centre.shape))
        start += group.size
    return alphas, parts


def join(alphas: jax.Array, parts: Sequence[jax.Array]) -> jax.Array:
    """The way back from `split`."""
    return jnp.concatenate([alphas, *(part.reshape(part.shape[0], -1) for part in parts)], axis=1)


def encode(layout: Layout, x: jax.Array, key: jax.Array | None = None) -> jax.Array:
    """x [B, D], NaN where missing -> rows [B, width].

    key: a number's mode is drawn by how likely each is to have made it, as in the paper; None: the likeliest. A
    category that train rows do not have, or a gap where they have none, is no choice: zeros.
    """
    alphas, parts = jnp.zeros((x.shape[0], layout.columns)), []
    for group, own in zip(layout.groups, _keys(key, layout), strict=True):
        value = x[:, group.columns]
        gap = jnp.isnan(value)
        value = jnp.where(gap, 0.0, value)[:, :, None]
        distance = (value - group.centre) / group.deviation
        score = group.log_weight - jnp.log(group.deviation) - 0.5 * distance**2
        score = jnp.where(group.missing, -jnp.inf, score)
        if own is not None:
            score = score + gumbel(own, x.shape[0], *group.centre.shape)
        chosen = jax.nn.one_hot(jnp.argmax(score, axis=-1), group.centre.shape[1])
        chosen = jnp.where(gap[:, :, None], group.missing.astype(np.float32), chosen)
        unknown = group.category & (value[:, :, 0] < 0) & ~gap
        parts.append(jnp.where(unknown[:, :, None], 0.0, chosen))
        safe = np.where(group.spread > 0, group.spread, 1.0)
        far = jnp.where(group.spread > 0, (value - group.centre) / safe, 0.0)
        alpha = jnp.clip((chosen * jnp.clip(far, -BOUND, BOUND)).sum(axis=-1), -BOUND, BOUND)
        alphas = alphas.at[:, group.columns].set(jnp.where(gap, 0.0, alpha))
    return join(alphas[:, layout.numbers], parts)


def decode(layout: Layout, alphas: jax.Array, scores: Sequence[jax.Array]) -> jax.Array:
    """Rows as `split` gives them, by the highest score of each column -> x [B, D], NaN where missing is chosen."""
    wide = jnp.zeros((alphas.shape[0], layout.columns)).at[:, layout.numbers].set(jnp.clip(alphas, -1.0, 1.0))
    x = jnp.zeros_like(wide)
    for group, score in zip(layout.groups, scores, strict=True):
        chosen = jax.nn.one_hot(jnp.argmax(score, axis=-1), group.centre.shape[1])
        centre, spread, missing = ((chosen * part).sum(-1) for part in (group.centre, group.spread, group.missing))
        value = centre + spread * wide[:, group.columns]
        x = x.at[:, group.columns].set(jnp.where(missing > 0, jnp.nan, value))
    return x


def drawn(layout: Layout, logits: Sequence[jax.Array], key: jax.Array) -> list[jax.Array]:
    """Scores whose highest is a draw of each column's softmax: logits + Gumbel noise (Gumbel 1954)."""
    found = zip(layout.groups, logits, _keys(key, layout), strict=True)
    return [each + gumbel(own, each.shape[0], *group.centre.shape) for group, each, own in found if own is not None]


def soften(layout: Layout, raw: jax.Array, key: jax.Array, temperature: float) -> jax.Array:
    """A generator's outputs as a row: tanh of alphas, Gumbel-softmax of choices (Jang et al. 2017)."""
    alphas, logits = split(layout, raw)
    parts = [jax.nn.softmax(each / temperature, axis=-1) for each in drawn(layout, logits, key)]
    return join(jnp.tanh(alphas) * moving(layout, parts), parts)  # as real rows: 0 where it says nothing


def log_softmax(layout: Layout, raw: jax.Array) -> jax.Array:
    """log of each choice's probability, in the place of the choices; 0 in that of alphas: [B, width]."""
    alphas, logits = split(layout, raw)
    return join(jnp.zeros_like(alphas), [jax.nn.log_softmax(each, axis=-1) for each in logits])


def moving(layout: Layout, parts: Sequence[jax.Array]) -> jax.Array:
    """1 where a number's choice is a mode, in which its alpha says where it lies; 0 where it is one value, or missing:
    [B, numbers]. Between the two for choices that are soft. parts: as `split` gives them."""
    found = jnp.zeros((parts[0].shape[0], layout.columns))
    for group, chosen in zip(layout.groups, parts, strict=True):
        found = found.at[:, group.columns].set((chosen * (group.spread > 0)).sum(axis=-1))
    return found[:, layout.numbers]


def _keys(key: jax.Array | None, layout: Layout) -> list[jax.Array | None]:
    return [None if key is None else jax.random.fold_in(key, number) for number in range(len(layout.groups))]
