"""Rows of a table as a person asks for them: so many, of this seed, with these categories.

Rows come in blocks of one size, each of a key of its own, so that the first 100 of 1,000 rows are the 100. A condition
goes to the model where it takes any (its sampler "conditional"), one of them; rows that are not as asked are left out,
and more drawn, up to a limit.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gen_jax.core import keys
from gen_jax.core.errors import UserError
from gen_jax.core.lines import visible
from gen_jax.core.types import Algorithm, Weights
from gen_jax.data.reading import short
from gen_jax.data.source import whole
from gen_jax.data.table import TableSource
from gen_jax.runs.abilities import need_sampler
from gen_jax.runs.evaluation import samplers

BLOCK = 500
TRIES = 200  # rows drawn for each that is asked for, at the most; and MORE of them in any case
MORE = 20_000


class Condition(NamedTuple):
    """One column's category."""

    place: int  # of the column
    code: float  # NaN: missing
    number: int  # among the categories of all columns, as `Layout.conditions` counts them


class Rows(NamedTuple):
    """x float32 [count, D], and how many rows were drawn for them."""

    x: np.ndarray
    drawn: int


def draw(
    algorithm: Algorithm,
    weights: Weights,
    table: TableSource,
    count: int,
    seed: int,
    sampler: str = "prior",
    given: Sequence[str] = (),
) -> Rows:
    """Rows of a model of rows. The same seed gives the same ones.

    sampler: "prior", with options where it has some. given: conditions, NAME=VALUE. Raises UserError for a condition
    that the table does not have, and where rows that fit come too rarely.
    """
    if not algorithm.mixed and table.categories:
        raise UserError("this model does not make rows with categories")
    asked = [condition(table, text) for text in given]
    if len({each.place for each in asked}) < len(asked):
        raise UserError(f"--given {' '.join(given)}: a column has one value in a row; give each column once")
    name = sampler.partition(":")[0]
    if name in samplers.OWN:
        raise UserError(f"--sampler {name} needs held-out examples; rows are drawn by prior")
    own = need_sampler(algorithm, "sample", name)
    options, told = samplers.read(sampler, algorithm).options, dict[str, Any]()
    if asked and name == "prior" and "conditional" in algorithm.samplers:
        name, options = "conditional", {}
        told = {"condition": jnp.full(BLOCK, asked[0].number, jnp.int32)}
    elif own.given:
        raise UserError(f"--sampler {name} is given conditions: leave --sampler out, and write --given NAME=VALUE")
    return _until(algorithm, name, options, weights, told, asked, count, seed, " ".join(given))


def condition(table: TableSource, text: str) -> Condition:
    """The condition that a person wrote. Raises UserError for a column, a kind of column or a category that is none."""
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not name:
        raise UserError(f'--given {text}: write NAME=VALUE, such as "income=>50K"')
    if not table.categories:
        raise UserError(f"--given {text}: conditions are on categories, and {table.name} has columns of numbers alone")
    names = [column.name for column in table.columns]
    if name not in names:
        raise UserError(f"--given {text}: there is no column {visible(name)!r}; there are {short(names, 20)}")
    if name not in table.categories:
        raise UserError(
            f"--given {text}: {visible(name)} holds numbers, and conditions are on categories: "
            f"{short(table.categories, 20)}"
        )
    x, number = whole(table.train)["x"], 0
    for place, column in enumerate(table.columns):
        if column.kind != "category":
            continue
        gaps = bool(np.isnan(x[:, place]).any())
        if column.name == name:
            if value in column.categories:
                code = column.categories.index(value)
                return Condition(place, float(code), number + code)
            if gaps and value == column.missing:
                return Condition(place, math.nan, number + len(column.categories))
            there = [*column.categories, *([column.missing] if gaps and column.missing else [])]
            raise UserError(f"--given {text}: {visible(name)} is never {visible(value)!r}; it is {short(there, 20)}")
        number += len(column.categories) + gaps
    raise AssertionError(name)


def _until(
    algorithm: Algorithm, name: str, options: Mapping[str, float], weights: Weights, told: dict[str, Any],
    asked: Sequence[Condition], count: int, seed: int, text: str,
) -> Rows:  # fmt: skip
    root = keys.named(jax.random.key(seed), "rows")
    sample = algorithm.samplers[name].draw
    block = jax.jit(lambda view, number: sample(view, jax.random.fold_in(root, number), BLOCK, told, **options))
    parts, found, number, most = [], 0, 0, max(TRIES * count, MORE)
    while found < count:
        x = np.asarray(block(weights, number))
        number += 1
        fits = np.ones(len(x), bool)
        for each in asked:
            values = x[:, each.place]
            fits &= np.isnan(values) if math.isnan(each.code) else values == each.code
        parts.append(x[fits])
        found += int(fits.sum())
        if found < count and number * BLOCK >= most:
            raise UserError(
                f"--given {text}: {found:,} of {number * BLOCK:,} rows that this model made are so, too few for "
                f"--count {count}; ask for fewer rows, or fewer conditions"
            )
    return Rows(np.concatenate(parts)[:count], number * BLOCK)
