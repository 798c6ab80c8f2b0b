"""What a person should know of how a table was read: kinds, what looks like a key or a code, and unknown categories."""

from collections.abc import Sequence

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.core.lines import visible
from gen_jax.data.columns import Column, padded
from gen_jax.data.reading import short
from gen_jax.data.table_files import Cells, alone, of_column
from gen_jax.data.table_plan import Plan

SUSPECT = 100  # rows from which on a column of values that are all different is said to look like a number of the row


def kinds(columns: tuple[Column, ...], train: np.ndarray, asked: Plan) -> list[str]:
    """What is to be known of the columns: kinds where not all are plain numbers, one value throughout, like a key."""
    still = [c.name for c, v in zip(columns, train.T, strict=True) if len(np.unique(v[~np.isnan(v)])) == 1]
    notes = [f"of one value throughout: {short(still)}"] if still else []
    if any(column.kind == "category" for column in columns) or asked.kinds:
        for kind in ("continuous", "integer", "category"):
            if names := [column.name for column in columns if column.kind == kind]:
                notes.append(f"{len(names)} {kind}: {short(names, 8)}")
    keys = [
        column.name
        for column, values in zip(columns, train.T, strict=True)
        if len(values) >= SUSPECT and column.kind != "continuous" and len(np.unique(values)) > 0.9 * len(values)
    ]
    return [
        *notes,
        *([f"nearly all values differ, as of a key (--columns NAME=drop leaves out): {short(keys)}"] if keys else []),
    ]


def spelled(found: Cells, columns: Sequence[Column], kept: np.ndarray, asked: Plan) -> list[str]:
    """What the way in which cells are written may mean beside what it was read as."""
    notes = []
    if asked.names and not found.header and all(alone(found.rows[0], found.rows[1:])):
        notes.append(f"its first line is read as values, since `names` are given ({short(found.rows[0])})")
    for place, of in enumerate(columns):
        if of.kind != "category" and of.name not in asked.kinds and (code := padded(of_column(found, place, kept)[0])):
            notes.append(
                f"{of.name} read as numbers, without leading zeros as in {code} (--columns {of.name}=category)"
            )
    return notes


def unknown(
    found: Cells, rows: np.ndarray, x: np.ndarray, columns: Sequence[Column], target: str | None, what: str
) -> list[str]:
    """What to say of categories that no train row has, in these rows, x [N, D] to a model. Raises UserError where the
    target has no others: nothing could be told of it."""
    notes = []
    for place, of in enumerate(columns):
        strange = np.flatnonzero(x[:, place] < 0) if of.kind == "category" else []
        if not len(strange):
            continue
        text = of_column(found, place, rows)[0][strange[0]].strip()[:30]
        cells = f"{of.name} is {text!r} or the like in {len(strange):,} of {len(rows):,} rows, which no train row has"
        advice = f'[spellings.{of.name}] in the file of --columns says what is written in two ways: "{text}" = "…"'
        if of.name == target and not (x[:, place] >= 0).any():
            raise UserError(visible(f"{what}: the target {cells}, and no row has a known one; {advice}"))
        notes.append(f"{cells} ({advice})")
    return notes
