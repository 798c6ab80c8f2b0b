"""A table's file as texts: CSV (commas, semicolons or tabs; .gz as well) or Parquet, and what its first line is."""

import csv
import functools
import gzip
import io
import math
import re
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gen_jax.core.errors import UserError, missing_package
from gen_jax.core.lines import visible
from gen_jax.data import places

MISSING = frozenset(("", "?", "na", "n/a", "nan", "null", "none", "#n/a", "<na>"))
DELIMITERS = ",;\t"
PARQUET = (".parquet", ".pq")
OTHERS = {r"\|": "|", r"\s+": "blanks", ":": "colons", "~": "~", r"\^": "^"}  # what separates columns elsewhere


class Cells(NamedTuple):
    """A file as it was read: `rows` are the texts of its lines of values, each of which stands in line `lines[i]`."""

    names: tuple[str, ...]
    rows: list[list[str]]
    lines: list[int]
    delimiter: str
    header: bool  # whether the names stand in the file
    certain: bool = False  # whether they can be nothing but names, as in Parquet


def cells_of(path: str, names: tuple[str, ...] | None = None, comment: str | None = None) -> Cells:
    """The file's cells. `names`: of a file that does not name its columns; `comment`: how lines begin that are none.

    Raises UserError for a file that is not there, is no table, has no rows, or columns that cannot be told apart.
    """
    file, what = places.file_at(path, "table"), f"table:{path}"
    found, delimiter = _parquet(file, what) if file.suffix.lower() in PARQUET else _rows(file, what, comment)
    first, certain = found[0][1], file.suffix.lower() in PARQUET
    if names is not None:
        header = tuple(cell.strip() for cell in first) == names
        if len(first) != len(names):
            raise UserError(f"{what} has {len(first)} columns and `names` are {len(names)}; name each column once")
        if not header and (certain or _names_too(found, names)):
            raise UserError(
                f"{what} names its columns itself ({visible(', '.join(first[:6]))}), and `names` are others; leave "
                "`names` out, or call them so in the file"
            )
    else:
        header = certain or any(number(cell) is None for cell in first)
        names = tuple(cell.strip() for cell in first) if header else tuple(f"c{i}" for i in range(len(first)))
    if twice := [name for name in names if names.count(name) > 1]:
        raise UserError(f"{what} has two columns called {visible(twice[0])!r}; give each a name of its own")
    body = found[1:] if header else found
    if not body:
        raise UserError(f"{what} has names of columns and no rows; values are needed below")
    for line, cells in body:
        if len(cells) != len(names):
            raise UserError(f"{what}, line {line}: {len(cells)} cells, and there are {len(names)} columns")
    return Cells(names, [cells for _, cells in body], [line for line, _ in body], delimiter, header, certain)


def alone(first: list[str], rows: list[list[str]]) -> list[bool]:
    """Of each cell of a line whether it is text that does not come again in its column, as names are."""
    seen = [set(column) for column in zip(*rows, strict=False)]
    return [
        number(cell) is None and (place >= len(seen) or cell not in seen[place]) for place, cell in enumerate(first)
    ]


def separated_by(lines: list[str]) -> str | None:
    """What seems to separate columns in lines that were read as one; None where nothing parts all of them alike."""
    for mark, called in OTHERS.items():
        parts = {len(re.split(mark, line.strip())) for line in lines}
        if len(parts) == 1 and parts != {1}:
            return called
    return None


def _names_too(found: list[tuple[int, list[str]]], names: tuple[str, ...]) -> bool:
    """Whether a first line that is not `names` holds names nevertheless: most of them, in any case and order."""
    first, known = found[0][1], {name.lower() for name in names}
    single = alone(first, [cells for _, cells in found[1:]])
    return 2 * sum(one and cell.strip().lower() in known for one, cell in zip(single, first, strict=True)) > len(names)


@functools.lru_cache(maxsize=2**16)  # cells repeat themselves
def number(cell: str) -> float | None:
    """The cell's value: NaN where it is missing, None where it is text."""
    text = cell.strip()
    if text.lower() in MISSING:
        return math.nan
    try:
        return float(text) if "_" not in text else None
    except ValueError:
        return None


def of_column(found: Cells, place: int, rows: np.ndarray | None = None) -> tuple[list[str], list[int]]:
    """(the cells of a column, the lines in which they stand)."""
    chosen = range(len(found.rows)) if rows is None else rows.tolist()
    return [found.rows[row][place] for row in chosen], [found.lines[row] for row in chosen]


def written(delimiter: str, columns: list[str], rows: list[list[str]]) -> bytes:
    """Rows of texts under these names: a CSV file in UTF-8."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerows([columns, *rows])
    return text.getvalue().encode()


def _rows(file: Path, what: str, comment: str | None) -> tuple[list[tuple[int, list[str]]], str]:
    """((line number, cells) of each line that is not blank, the delimiter)."""
    try:
        content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{what} is no text in UTF-8; save the table as CSV in UTF-8") from None
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{what} cannot be read ({error})") from error
    if comment:
        lines = text.splitlines(keepends=True)
        text = "".join("\n" if line.startswith(comment) else line for line in lines)  # lines keep their numbers
    first = next((line for line in text.splitlines() if line.strip()), "")
    if not first:
        raise UserError(f"{what} is empty; a line of names and lines of numbers are needed")
    delimiter = max(DELIMITERS, key=first.count)
    reader, found = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True), []
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells) or len(cells) > 1:
                found.append((reader.line_num, cells))
    except csv.Error as error:
        raise UserError(f"{what}, line {reader.line_num}: no CSV ({error})") from error
    return found, delimiter


def _parquet(file: Path, what: str) -> tuple[list[tuple[int, list[str]]], str]:
    """The same of a Parquet file, as if it had been written as CSV: names in line 1."""
    try:
        from pyarrow import parquet  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise missing_package("pyarrow", "pip install pyarrow", f"{what} (Parquet)") from None
    try:
        held = parquet.read_table(file)
    except Exception as error:  # pyarrow has a family of its own, and of the system's
        raise UserError(f"{what} is no sound Parquet file ({visible(str(error)).splitlines()[0][:120]})") from error
    columns = [[_text(value) for value in column.to_pylist()] for column in held.columns]
    rows = [list(row) for row in zip(*columns, strict=True)]
    return [(line, cells) for line, cells in enumerate([list(held.column_names), *rows], 1)], ","


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return repr(value) if isinstance(value, float) else str(value)
