"""The columns of a table: what kind each is, how its cells become numbers, and the way back to texts.

A number is standardised by what the train rows show; a category is its place among the train rows' texts, sorted, and
-1 where these do not have it; what is missing is NaN.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.core.lines import visible
from gen_jax.data.table_files import MISSING, number

MOST_CATEGORIES = 1000
EXACT = 2.0**24  # whole numbers that float32 holds
EACH = 2**53  # whole numbers up to which float64 holds each
WHOLE = re.compile(r"[+-]?\d+")
FIXED = re.compile(r"[+-]?\d*\.?(\d*)$")


class Column(NamedTuple):
    """How a column became a feature: value = mean + scale · feature."""

    name: str
    mean: float
    scale: float
    kind: str = "continuous"  # or integer, category
    decimals: int | None = None  # of a number as the table writes it; None: seven digits
    low: float = -math.inf  # what train rows show, at the least
    high: float = math.inf
    categories: tuple[str, ...] = ()
    missing: str = ""  # how the table writes that a value is missing


def kind_of(what: str, name: str, cells: Sequence[str], lines: Sequence[int], kept: Sequence[int]) -> str:
    """continuous, integer or category, as the cells of the train rows (`kept`) look.

    Raises UserError for texts that no model can learn: none that comes twice, too many, or among numbers.
    """
    train = [cells[row].strip() for row in kept]
    there = [cell for cell in train if cell.lower() not in MISSING]
    texts = [cell for cell in there if number(cell) is None]
    if not texts:
        return "integer" if there and all(WHOLE.fullmatch(cell) for cell in there) else "continuous"
    text, line = next((cell.strip(), line) for cell, line in zip(cells, lines, strict=True) if number(cell) is None)
    head = f"{what}: column {visible(name)!r} has text ({visible(text)[:30]!r} in line {line})"
    if all(number(cell.replace(",", "")) is not None for cell in texts):
        raise UserError(
            f"{head}: numbers with commas; write points for decimals and nothing between thousands, or say that it "
            f"holds categories: --columns {visible(name)}=category"
        )
    if len(texts) <= len(there) - len(texts):
        raise UserError(
            f"{head} among numbers; write numbers for its values (or nothing where they are missing), or say that it "
            f"holds categories: --columns {visible(name)}=category"
        )
    different = len(set(there))
    if different == len(there) or different > MOST_CATEGORIES:
        many = "no text comes twice in the train rows" if different == len(there) else f"{different:,} different ones"
        raise UserError(
            f"{head}, and {many}: there is nothing to learn from it; leave the column out: --columns "
            f"{visible(name)}=drop"
        )
    return "category"


def _refuse_merged(what: str, name: str, cells: Sequence[str]) -> None:
    """Raises UserError where different whole numbers are one number to float64: a model would learn that they are."""
    large = {value for cell in set(cells) if WHOLE.fullmatch(cell.strip()) and abs(value := int(cell)) > EACH}
    if len({float(value) for value in large}) < len(large):
        raise UserError(
            f"{what}: column {visible(name)!r} has whole numbers of so many digits ({max(large, key=abs)}) that "
            f"different ones become the same; leave it out (--columns {visible(name)}=drop), make it a category "
            f"({visible(name)}=category), or say that the last digits do not matter ({visible(name)}=continuous)"
        )


def padded(cells: Sequence[str]) -> str | None:
    """A whole number with a zero before it, as codes are written (00012): as a number it loses it. None without one."""
    return next((text for cell in cells if re.fullmatch(r"0\d+", text := cell.strip())), None)


def column(what: str, name: str, kind: str, train: Sequence[str], lines: Sequence[int]) -> Column:
    """The column as its train cells make it. Raises UserError where they do not: no value, or none of that kind."""
    gaps = Counter(cell.strip() for cell in train if cell.strip().lower() in MISSING)
    missing = min(gaps, key=lambda text: (-gaps[text], text)) if gaps else ""
    if kind == "category":
        found = tuple(sorted({cell.strip() for cell in train if cell.strip().lower() not in MISSING}))
        if not found:
            raise UserError(f"{what}: column {visible(name)!r} has no value in the train rows; leave it out")
        if len(found) > MOST_CATEGORIES:
            raise UserError(
                f"{what}: column {visible(name)!r} has {len(found):,} different values, and {MOST_CATEGORIES:,} "
                "categories are the most; group them, or leave it out"
            )
        return Column(name, 0.0, 1.0, kind, categories=found, missing=missing)
    values = numbers(what, name, train, lines, kind)
    there = values[~np.isnan(values)]
    if not there.size:
        raise UserError(f"{what}: column {visible(name)!r} has no value in the train rows; leave it out")
    if kind == "integer":
        _refuse_merged(what, name, train)
    with np.errstate(over="ignore", invalid="ignore"):
        mean, deviation = float(there.mean()), float(there.std())
    if not (math.isfinite(mean) and math.isfinite(deviation)):
        raise UserError(f"{what}: the values of column {visible(name)!r} are too large; divide them by a power of ten")
    low, high = float(there.min()), float(there.max())
    decimals = 0 if kind == "integer" else _decimals(train, max(abs(low), abs(high)))
    return Column(name, mean, deviation if deviation > 0 else 1.0, kind, decimals, low, high, missing=missing)


def numbers(what: str, name: str, cells: Sequence[str], lines: Sequence[int], kind: str = "continuous") -> np.ndarray:
    """The cells as float64 [N]. Raises UserError for one that is no number, naming its line."""
    found = np.empty(len(cells))
    for row, cell in enumerate(cells):
        value = number(cell)
        if value is None:
            raise UserError(
                f"{what}: column {visible(name)!r} has text ({visible(cell.strip())[:30]!r} in line {lines[row]}), and "
                "its values are numbers; leave the column out, or write numbers for its values (or nothing where they "
                "are missing)"
            )
        if math.isinf(value):
            raise UserError(
                f"{what}: column {visible(name)!r} has an infinite value in line {lines[row]}; write a number, or "
                "nothing where it is missing"
            )
        if kind == "integer" and value == value and value != round(value):
            raise UserError(
                f"{what}: column {visible(name)!r} holds whole numbers, and {visible(cell.strip())} in line "
                f"{lines[row]} is none; say --columns {visible(name)}=continuous"
            )
        found[row] = value
    return found


def values(what: str, of: Column, cells: Sequence[str], lines: Sequence[int]) -> np.ndarray:
    """The cells of a column, float64 [N]: numbers, or places among its categories."""
    if of.kind != "category":
        return numbers(what, of.name, cells, lines)
    place = {text: float(code) for code, text in enumerate(of.categories)}
    stripped = (cell.strip() for cell in cells)
    return np.array([math.nan if cell.lower() in MISSING else place.get(cell, -1.0) for cell in stripped])


def standardised(values: np.ndarray, columns: Sequence[Column]) -> np.ndarray:
    """A table's values [N, D] as models see them, float32; NaN stays, and what no float32 holds is infinite."""
    mean, scale = (np.array([getattr(column, part) for column in columns]) for part in ("mean", "scale"))
    with np.errstate(over="ignore"):
        return ((values - mean) / scale).astype(np.float32)


def restored(x: np.ndarray, columns: Sequence[Column]) -> np.ndarray:
    """The way back: float64 [..., D] in the table's units."""
    mean, scale = (np.array([getattr(column, part) for column in columns]) for part in ("mean", "scale"))
    return np.asarray(x, np.float64) * scale + mean


def settled(x: np.ndarray, columns: Sequence[Column]) -> np.ndarray:
    """Rows of a model, float [N, D], as the table would write them: float64 in its units, numbers within what the train
    rows show and rounded to as many decimals."""
    found = restored(x, columns)
    for place, of in enumerate(columns):
        if of.kind != "category":
            found[:, place] = np.clip(found[:, place], of.low, of.high)
    return _rounded(found, columns)


def real(x: np.ndarray, columns: Sequence[Column]) -> np.ndarray:
    """Rows of the table, float [N, D], as they are written there: float64 in its units, without what standardising in
    float32 left behind (a 40 that comes back as 39.9999999 is another value to whatever counts values)."""
    return _rounded(restored(x, columns), columns)


def _rounded(x: np.ndarray, columns: Sequence[Column]) -> np.ndarray:
    for place, of in enumerate(columns):
        if of.kind != "category" and of.decimals is not None:
            x[:, place] = np.round(x[:, place], of.decimals) + 0.0  # no -0
    return x


def texts(x: np.ndarray, columns: Sequence[Column]) -> list[list[str]]:
    """Rows of a model, float [N, D], as cells: the table's decimals and spellings."""
    found = settled(x, columns)
    return [[_text(value, of) for value, of in zip(row, columns, strict=True)] for row in found]


def _text(value: float, of: Column) -> str:
    if math.isnan(value):
        return of.missing
    if of.kind == "category":
        return of.categories[int(value)] if 0 <= value < len(of.categories) else of.missing
    if of.decimals is None:
        return f"{value:.7g}"
    return f"{value + 0.0:.{of.decimals}f}"  # + 0: no minus before a zero


def _decimals(cells: Sequence[str], largest: float) -> int | None:
    """How many decimals the cells have at the most; None where they are of more digits than float32 holds, or some are
    written by powers of ten."""
    most = 0
    for cell in cells:
        if (text := cell.strip()).lower() in MISSING:
            continue
        if (found := FIXED.match(text)) is None:
            return None
        most = max(most, len(found[1]))
    return most if largest * 10.0**most < EXACT else None
