"""`table:PATH`: a CSV file of numbers, a column a feature, with missing values kept as such (NaN).

Columns are separated by commas, semicolons or tabs. The first line names them, unless it is of numbers itself. A cell
that is empty, ?, NA, N/A, NaN, null or None is missing. A fixed pseudo-random 10 % of the rows is held out to test.
What models see is standardised, (value - mean) / deviation, by what the train rows show: the held-out rows and hidden
cells play no part. Text in a column is refused: this source is of numbers alone.
"""

import csv
import dataclasses
import gzip
import io
import math
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.core.lines import visible
from gen_jax.data import source
from gen_jax.data.kinds import TABLES
from gen_jax.data.reading import short

MISSING = frozenset(("", "?", "na", "n/a", "nan", "null", "none", "#n/a", "<na>"))
DELIMITERS = ",;\t"


class Table(NamedTuple):
    """A file as it was read. `cells` are the texts, so that what is there can be written back as it was."""

    names: tuple[str, ...]
    values: np.ndarray  # float64 [N, D], NaN where a value is missing
    cells: list[list[str]]
    delimiter: str
    header: bool  # whether the names stand in the file


class Column(NamedTuple):
    """How a column became a feature: value = mean + scale · feature."""

    name: str
    mean: float
    scale: float


@dataclasses.dataclass(frozen=True)
class TableSource(source.Source):
    """A table as a data set, with the way back to its units. Columns are those of x, in order."""

    columns: tuple[Column, ...] = ()


def table(path: str) -> TableSource:
    """Reads the file. Raises UserError as `read` does, and where a column has no value among the train rows."""
    file, what = Path(path).expanduser(), f"table:{path}"
    found = read(path)
    if len(found.values) < 2:
        raise UserError(f"{what} has {len(found.values)} rows of values; at least 2 are needed, one of them to test")
    kept, held_out = source.holdout(len(found.values))
    train = found.values[kept]
    columns = tuple(_column(what, name, values) for name, values in zip(found.names, train.T, strict=True))
    x = standardised(found.values, columns)
    gaps = int(np.isnan(found.values).sum())
    notes = ["a tenth held out", *([] if found.header else ["no line of names: columns are numbered"])]
    notes += [f"{gaps:,} of {found.values.size:,} values are missing"] if gaps else []
    if still := [name for name, values in zip(found.names, train.T, strict=True) if np.nanstd(values) == 0]:
        notes.append(f"of one value throughout: {short(still)}")
    data = source.from_arrays(
        f"table:{visible(file.name)}", {"x": x[kept]}, {"x": x[held_out]}, None, kind=TABLES, notes=tuple(notes)
    )
    own = source.digest(data.fingerprint, *(tuple(column) for column in columns))
    fields = {field.name: getattr(data, field.name) for field in dataclasses.fields(data)}
    return TableSource(**{**fields, "fingerprint": own}, columns=columns)


def standardised(values: np.ndarray, columns: tuple[Column, ...]) -> np.ndarray:
    """A table's values [N, D] as models see them, float32; NaN stays."""
    mean, scale = (np.array([getattr(column, part) for column in columns]) for part in ("mean", "scale"))
    return ((values - mean) / scale).astype(np.float32)


def restored(x: np.ndarray, columns: tuple[Column, ...]) -> np.ndarray:
    """The way back: float64 [..., D] in the table's units."""
    mean, scale = (np.array([getattr(column, part) for column in columns]) for part in ("mean", "scale"))
    return np.asarray(x, np.float64) * scale + mean


def like(path: str, columns: tuple[Column, ...]) -> Table:
    """Another table with the same columns, in their order. Raises UserError where one is not there, or one too many."""
    found, names = read(path), [column.name for column in columns]
    if not found.header and len(found.names) == len(names):
        return found._replace(names=tuple(names))
    if lost := [name for name in names if name not in found.names]:
        raise UserError(f"table:{path} has no column {visible(lost[0])!r}; the run's table has {short(names, 8)}")
    if more := [name for name in found.names if name not in names]:
        raise UserError(
            f"table:{path} has a column {visible(more[0])!r} that the run's table has not; it has {short(names, 8)}"
        )
    order = [found.names.index(name) for name in names]
    cells = [[row[place] for place in order] for row in found.cells]
    return found._replace(names=tuple(names), values=found.values[:, order], cells=cells)


def read(path: str) -> Table:
    """The file's columns and values. Raises UserError for a file that is not there or no table of numbers, naming the
    column and the line."""
    file, what = Path(path).expanduser(), f"table:{path}"
    rows, delimiter = _rows(file, what)
    header = any(_number(cell) is None for cell in rows[0][1])
    names = tuple(cell.strip() for cell in rows[0][1]) if header else tuple(f"c{i}" for i in range(len(rows[0][1])))
    if header and (twice := [name for name in names if names.count(name) > 1]):
        raise UserError(f"{what} has two columns called {visible(twice[0])!r}; give each a name of its own")
    body = rows[1:] if header else rows
    if not body:
        raise UserError(f"{what} has names of columns and no rows; values are needed below")
    values = np.empty((len(body), len(names)))
    for number, (line, cells) in enumerate(body):
        if len(cells) != len(names):
            raise UserError(f"{what}, line {line}: {len(cells)} cells, and there are {len(names)} columns")
        for place, cell in enumerate(cells):
            value = _number(cell)
            if value is None:
                raise UserError(
                    f"{what}: column {visible(names[place])!r} has text ({visible(cell)[:30]!r} in line {line}), and "
                    "a table's columns are numbers; leave the column out, or write numbers for its values (or nothing "
                    "where they are missing)"
                )
            if math.isinf(value):
                raise UserError(
                    f"{what}: column {visible(names[place])!r} has an infinite value in line {line}; write a number, "
                    "or nothing where it is missing"
                )
            values[number, place] = value
    return Table(names, values, [cells for _, cells in body], delimiter, header)


def write(found: Table, columns: list[str], rows: list[list[str]]) -> bytes:
    """Rows of texts under these names, separated as the table was: a CSV file in UTF-8."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=found.delimiter, lineterminator="\n")
    writer.writerows([columns, *rows])
    return text.getvalue().encode()


def _rows(file: Path, what: str) -> tuple[list[tuple[int, list[str]]], str]:
    """((line number, cells) of each line that is not blank, the delimiter)."""
    if not file.is_file():
        raise UserError(f"{what}: there is no such file")
    try:
        content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{what} is no text in UTF-8; save the table as CSV in UTF-8") from None
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{what} cannot be read ({error})") from error
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


def _number(cell: str) -> float | None:
    """The cell's value: NaN where it is missing, None where it is text."""
    text = cell.strip()
    if text.lower() in MISSING:
        return math.nan
    try:
        return float(text) if "_" not in text else None
    except ValueError:
        return None


def _column(what: str, name: str, values: np.ndarray) -> Column:
    there = values[~np.isnan(values)]
    if not there.size:
        raise UserError(f"{what}: column {visible(name)!r} has no value in the train rows; leave it out")
    mean, deviation = float(there.mean()), float(there.std())
    if not (math.isfinite(mean) and math.isfinite(deviation)):
        raise UserError(f"{what}: the values of column {visible(name)!r} are too large; divide them by a power of ten")
    return Column(name, mean, deviation if deviation > 0 else 1.0)
