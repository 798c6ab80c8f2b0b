"""`table:PATH`: a file of rows, CSV or Parquet, a column a feature, with missing values kept as such (NaN).

Columns are separated by commas, semicolons or tabs. The first line names them, unless it is of numbers itself. A cell
that is empty, ?, NA, N/A, NaN, null or None is missing. A fixed pseudo-random 10 % of the rows is held out to test, or
the rows of a file of their own (`table_plan`). A column is of numbers, or of categories where it holds texts that come
again. What models see of numbers is standardised, (value - mean) / deviation, by what the train rows show: the held-out
rows and hidden cells play no part.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.core.lines import say, visible
from gen_jax.data import frequencies, source, table_notes
from gen_jax.data.columns import Column as Column
from gen_jax.data.columns import column, kind_of, numbers
from gen_jax.data.columns import restored as restored
from gen_jax.data.columns import standardised as standardised
from gen_jax.data.columns import values as values_of
from gen_jax.data.kinds import MIXED, TABLES, of_columns
from gen_jax.data.reading import short
from gen_jax.data.table_files import Cells, cells_of, number, of_column, separated_by, written
from gen_jax.data.table_plan import Plan, check_names, plan


class Table(NamedTuple):
    """A file as it was read: the columns that are asked for, and the texts of all, to be written back as they were."""

    names: tuple[str, ...]
    values: np.ndarray  # float64 [N, D], NaN where a value is missing
    lines: list[int]  # of the file, in which the rows stand
    file: Cells  # with all its columns, in its own order, spelled as there
    places: list[int]  # of `names` among the file's columns
    path: str


@dataclasses.dataclass(frozen=True)
class TableSource(source.Source):
    """A table as a data set, with the way back to its units. Columns are those of x, in order."""

    columns: tuple[Column, ...] = ()
    target: str | None = None  # the column that a table is for, where a person named it
    delimiter: str = ","

    @property
    def categories(self) -> tuple[str, ...]:
        """Names of the columns that hold categories."""
        return tuple(column.name for column in self.columns if column.kind == "category")


def table(path: str, said: str | None = None) -> TableSource:
    """Reads the file. `said`: what a person says of its columns, as `table_plan.plan` takes it.

    Raises UserError as `cells_of` and `plan` do, and where a column cannot be read as its kind, or has no value among
    the train rows; and where no held-out row has a target that train rows know.
    """
    file, what, asked = Path(path).expanduser(), f"table:{path}", plan(said)
    found = _tidy(cells_of(path, asked.names, asked.comment), asked, what)
    _refuse_too_few(found, what)
    held = None if asked.test is None else _test(asked.test, found.names, asked)
    kept, held_out = source.holdout(len(found.rows)) if held is None else (np.arange(len(found.rows)), np.arange(0))
    columns, kinds = [], {}
    for place, name in enumerate(found.names):
        kind = kinds[name] = asked.kinds.get(name) or _kind(found, place, kept, what)
        cells, lines = of_column(found, place, kept)
        columns.append(column(what, name, kind, cells, lines))
    _refuse_unnamed(found, kinds, what)
    x, columns = _standardised(found, columns, what), tuple(columns)
    train, rest, tested = x[kept], x[held_out], (found, held_out)
    if held is not None:
        tested = held, np.arange(len(held.rows))
        rest = _standardised(held, columns, f"table:{asked.test}")
    notes = [f"tested on {Path(asked.test).name}" if asked.test else "a tenth held out"]
    notes += [] if found.header or asked.names else ["no line of names: columns are numbered"]
    gaps = int(np.isnan(train).sum() + np.isnan(rest).sum())
    notes += [f"{gaps:,} of {train.size + rest.size:,} values are missing"] if gaps else []
    notes += table_notes.kinds(columns, train, asked)
    notes += table_notes.spelled(found, columns, kept, asked)
    notes += table_notes.unknown(*tested, rest, columns, asked.target, f"{what}, held out")
    mixed = "category" in kinds.values()
    kind = of_columns(MIXED if mixed else TABLES, columns)
    name = f"table:{visible(file.name)}"
    data = source.from_arrays(name, {"x": train}, {"x": rest}, None, kind=kind, notes=tuple(notes))
    fields = {field.name: getattr(data, field.name) for field in dataclasses.fields(data)}
    fields |= {"fingerprint": _fingerprint(data.fingerprint, columns)}
    made = TableSource(**fields, columns=columns, target=asked.target, delimiter=found.delimiter)
    return frequencies.with_stream(made, [c.kind == "category" for c in columns]) if mixed else made


def like(path: str, columns: Sequence[Column], said: str | None = None) -> Table:
    """Another table with the same columns, in their order. Raises UserError where one is not there, or one too many."""
    asked = plan(said)
    file = _placed(cells_of(path, asked.names, asked.comment), columns, asked)
    return _numbers(_like(file, path, columns, asked), file, path)


def alike(path: str, own: TableSource, said: str | None = None) -> TableSource:
    """Another table as a model of `own` sees it: its columns in their order, its means and deviations, its categories.

    `said` as in `table`; the rows to test on that it may name are `own`'s, and of this one a tenth is held out. Raises
    UserError as `like` does, and for a table of one row.
    """
    asked, what = plan(said)._replace(test=None, target=None), f"table:{path}"
    found = _like(_placed(cells_of(path, asked.names, asked.comment), own.columns, asked), path, own.columns, asked)
    _refuse_too_few(found, what)
    x = _standardised(found, own.columns, what)
    strange = table_notes.unknown(found, np.arange(len(x)), x, own.columns, own.target, what)
    if strange:
        say(visible(f"{what}: {short(strange)}"))
    parts = [source.in_memory({"x": x[rows]}) for rows in source.holdout(len(x))]
    return dataclasses.replace(
        own,
        name=f"table:{visible(Path(path).expanduser().name)}",
        fingerprint=_fingerprint(source.fingerprint(*parts), own.columns),
        train=parts[0],
        test=parts[1],
        others={},
        notes=("a tenth held out", f"read by the columns of {own.name}", *strange),
        delimiter=found.delimiter,
    )


def _placed(file: Cells, columns: Sequence[Column], asked: Plan) -> Cells:
    """Columns that nobody named are a run's by their places, where there are as many."""
    unnamed = not file.header and not asked.names and len(file.names) == len(columns)
    return file._replace(names=tuple(column.name for column in columns)) if unnamed else file


def _like(cells: Cells, path: str, columns: Sequence[Column], asked: Plan) -> Cells:
    names = [column.name for column in columns]
    kinds, spellings = (
        {name: each for name, each in part.items() if name in cells.names} for part in (asked.kinds, asked.spellings)
    )
    found = _tidy(cells, asked._replace(kinds=kinds, spellings=spellings, target=None), f"table:{path}")
    if lost := [name for name in names if name not in found.names]:
        raise UserError(f"table:{path} has no column {visible(lost[0])!r}; the run's table has {short(names, 8)}")
    if more := [name for name in found.names if name not in names]:
        raise UserError(
            f"table:{path} has a column {visible(more[0])!r} that the run's table has not; it has {short(names, 8)}"
        )
    return _chosen(found, names)


def held_out(path: str, columns: Sequence[Column], said: str | None = None) -> tuple[Table, np.ndarray]:
    """(the table in which a run's held-out rows stand, their numbers in it)."""
    if (test := plan(said).test) is not None:
        found = like(test, columns, said)
        return found, np.arange(len(found.values))
    found = like(path, columns, said)
    return found, source.holdout(len(found.values))[1]


def read(path: str) -> Table:
    """The file's columns and values, all of them numbers. Raises UserError for a file that is not there or no table of
    numbers, naming the column and the line."""
    found = cells_of(path)
    return _numbers(found, found, path)


def write(found: Table, columns: list[str], rows: list[list[str]]) -> bytes:
    """Rows of texts under these names, separated as the table was: a CSV file in UTF-8."""
    return written(found.file.delimiter, columns, rows)


def _numbers(found: Cells, file: Cells, path: str) -> Table:
    columns = [numbers(f"table:{path}", name, *of_column(found, place)) for place, name in enumerate(found.names)]
    places = [file.names.index(name) for name in found.names]
    return Table(found.names, np.stack(columns, axis=1), found.lines, file, places, path)


def _tidy(found: Cells, asked: Plan, what: str) -> Cells:
    """Without the columns that are left out, and spelled as they are meant."""
    check_names(asked, found.names, what)
    for name, spellings in asked.spellings.items():
        place = found.names.index(name)
        rows = [[*row[:place], spellings.get(row[place].strip(), row[place]), *row[place + 1 :]] for row in found.rows]
        found = found._replace(rows=rows)
    names = [name for name in found.names if asked.kinds.get(name) != "drop"]
    if not names:
        raise UserError(f"--columns leaves out all columns of {what}; keep one")
    return _chosen(found, names)


def _chosen(found: Cells, names: Sequence[str]) -> Cells:
    order = [found.names.index(name) for name in names]
    return found._replace(names=tuple(names), rows=[[row[place] for place in order] for row in found.rows])


def _test(path: str, names: tuple[str, ...], asked: Plan) -> Cells:
    found = _tidy(cells_of(path, asked.names, asked.comment), asked, f"table:{path}")
    if lost := [name for name in names if name not in found.names]:
        raise UserError(
            f"table:{path}, to test on, has no column {visible(lost[0])!r}; it needs those of the train rows"
        )
    return _chosen(found, names)


def _fingerprint(of_rows: str, columns: Sequence[Column]) -> str:
    """Of numbers alone as it was before there were categories."""
    mixed = any(column.kind == "category" for column in columns)
    return source.digest(of_rows, *(tuple(column) if mixed else tuple(column)[:3] for column in columns))


def _refuse_too_few(found: Cells, what: str) -> None:
    if len(found.rows) < 2:
        raise UserError(f"{what} has {len(found.rows)} rows of values; at least 2 are needed, one of them to test")


def _refuse_unnamed(found: Cells, kinds: dict[str, str], what: str) -> None:
    """Raises UserError where the line of names looks like one of values: a number over a column of numbers, in a table
    that holds texts as well."""
    likely = [name for name in found.names if kinds[name] != "category" and name and number(name) is not None]
    if found.header and not found.certain and likely and "category" in kinds.values():
        raise UserError(
            f"{what}: its first line looks like values and no names ({visible(likely[0])!r}); name the columns in a "
            'file for --columns, columns.toml: names = ["age", …]'
        )


def _standardised(found: Cells, columns: Sequence[Column], what: str) -> np.ndarray:
    """The cells as these columns read them, [N, D]."""
    values = [values_of(what, each, *of_column(found, place)) for place, each in enumerate(columns)]
    return standardised(np.stack(values, axis=1), columns)


def _kind(found: Cells, place: int, kept: np.ndarray, what: str) -> str:
    """By `kind_of`; a file of one column that cannot be read may be one of several, separated otherwise."""
    try:
        return kind_of(what, found.names[place], *of_column(found, place), kept.tolist())
    except UserError as error:
        if len(found.names) == 1 and (mark := separated_by([*found.names, *(row[0] for row in found.rows)])):
            raise UserError(
                f"{what} was read as one column, and its lines seem to be separated by {mark}; save the table with "
                "commas, semicolons or tabs"
            ) from error
        raise
