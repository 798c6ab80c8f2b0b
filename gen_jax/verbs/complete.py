"""`complete RUN`: what is hidden of pictures, or missing in a table, filled in several ways."""

from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from gen_jax.core.domains import Interval, Sample, Seed, Whole
from gen_jax.core.errors import UserError
from gen_jax.core.lines import counted, visible
from gen_jax.runs.access import AccessBeside
from gen_jax.verbs.common import Trust, Which, open_state, picture_path, show

FAR = 1e3  # deviations of a column, beyond which a value is no value of that column


def complete(
    run: tyro.conf.Positional[Path],
    data: str | None = None,
    mask: str | None = None,
    out: Path | None = None,
    completions: Annotated[int, Interval(0, 1000)] = 10,
    count: Sample | None = None,
    seed: Seed = 0,
    weights: Which = "ema",
    step: Whole | None = None,
    trust: Trust = False,
    run_data: str | None = None,
    data_dir: Path | None = None,
    allow_changed: tuple[Literal["data", "code"], ...] = (),
    json: bool = False,
) -> None:
    """Complete examples: a picture of rows (observed, completions, their expectation, the truth), or a CSV of a table
    in which its gaps are filled and nothing else is touched: other cells, and columns that the model leaves out, stay.

    Args:
        run: the run folder
        data: what to complete, such as table:PATH or folder:PATH, of the run's shape; by default the held-out split
        mask: what is hidden: random, random:SHARE, half, quarter, square, everything, above (tables), any, or a .npy or
            .png file, 0 where hidden; by default random:0.5, and of a table given as --data its own gaps
        out: the PNG or CSV to write; by default RUN/pictures/completions.png or .csv
        completions: draws of each example, beside the expected values; 0: these alone
        count: how many examples; by default 8 pictures, or all rows
        seed: of masks and draws
        weights: averaged (ema) or raw weights
        step: which checkpoint; the newest by default
        run_data: where the run's own data are now, where they have moved
        data_dir: where TFDS data sets are
        allow_changed: complete by other data, or by other code, than the run's
        json: print JSON
    """
    opened = open_state(run, step, trust, AccessBeside(run_data, data_dir, allow_changed))
    from gen_jax.core.types import weights as weights_of
    from gen_jax.data.kinds import IMAGES
    from gen_jax.data.table import TableSource
    from gen_jax.runs import completing, outputs

    completing.need(opened.algorithm, "complete")
    of_table = isinstance(opened.source, TableSource)
    if not of_table and opened.source.kind is not IMAGES:
        raise UserError(f"complete is for images and tables, and {opened.source.name} has {opened.source.kind.name}")
    path = _table_path(run, out) if of_table else picture_path(run, "completions", out)
    masks = [Path(mask)] if mask is not None and Path(mask).is_file() else []
    outputs.not_over({"--out": path if of_table else out}, opened.config, data, run_data, files=masks)
    view = weights_of(opened.state, averaged=weights == "ema")
    rows = (_table if of_table else _pictures)(opened, view, _Asked(data, mask, completions, count, seed), path)
    show(f"{run}", [*rows, ("step", opened.step), ("written", path)], json)


class _Asked:
    def __init__(self, data: str | None, mask: str | None, completions: int, count: int | None, seed: int):
        self.data, self.mask, self.completions, self.count, self.seed = data, mask, completions, count, seed

    def rows(self, size: int, default: int) -> Any:
        """Which of `size` examples. Raises UserError where there are not so many."""
        from gen_jax.data.source import evenly

        if self.count is not None and self.count > size:
            raise UserError(f"--count {self.count}: of {counted(size, 'example')}; ask for 1 to {size}")
        return evenly(size, self.count or default)


def _pictures(opened: Any, view: Any, asked: _Asked, path: Path) -> list[tuple[str, Any]]:
    """Writes a row an example; what was hidden, and how well it was told."""
    import numpy as np

    from gen_jax.data import load
    from gen_jax.data.source import to_float
    from gen_jax.metrics import completion
    from gen_jax.runs import completing
    from gen_jax.runs.watching import pictures

    data = opened.source if asked.data is None else load.other(opened.config, asked.data)
    if data.shape != opened.source.shape:
        raise UserError(
            f"--data {asked.data}: its examples are of shape {list(data.shape)}, and this model's of "
            f"{list(opened.source.shape)}; give --data of the same, or read it at another size when training"
        )
    rows = asked.rows(data.test.size, 8)
    x = np.asarray(to_float(data.test.read(rows)["x"]), np.float32)
    mask = completing.masks_of(asked.mask or "random:0.5", x, data.kind, asked.seed)
    found = completing.complete(opened.algorithm, view, x, mask, asked.seed, asked.completions)
    observed = np.where(mask != 0, x, 0.0)
    columns = [observed, *found.draws, found.expected, x]
    images = np.stack(columns, axis=1).reshape(-1, *x.shape[1:])
    pictures.save_grid(path, images, opened.source, len(columns))
    order = "observed, " + (f"{asked.completions} completions, " if asked.completions else "") + "expected, truth"
    told: list[tuple[str, Any]] = [("pictures", f"{len(x)} of {data.name}; in a row: {order}")]
    if found.hidden.any():
        told.append(("NRMSE", completion.nrmse(x, found.expected, found.hidden)))
        told.append(("PSNR, dB", float(completion.psnr(x, found.expected, found.hidden).mean())))
    return told


def _table(opened: Any, view: Any, asked: _Asked, path: Path) -> list[tuple[str, Any]]:
    """Writes the rows with their gaps filled; how many were, and how well where the truth is known."""
    import numpy as np

    from gen_jax.data import table
    from gen_jax.metrics import completion
    from gen_jax.runs import completing
    from gen_jax.runs.files import atomic_write_bytes

    columns, own = opened.source.columns, asked.data is None
    kind, _, place = (asked.data or opened.config.data).partition(":")
    if kind != "table" or not place:
        raise UserError(f"--data {asked.data}: this run is of a table; give table:PATH, a CSV with the same columns")
    if own:
        found, whole = table.held_out(place, columns, opened.config.columns)
    else:
        found = table.like(place, columns, opened.config.columns)
        whole = np.arange(len(found.values))
    rows = whole[asked.rows(len(whole), len(whole))]
    x = table.standardised(found.values[rows], columns)
    gaps = np.isnan(x)
    if asked.mask is None and not own:
        if not gaps.any():
            raise UserError(
                f"--data {asked.data} has no gaps; nothing is to be filled (give --mask to hide some cells)"
            )
        mask = (~gaps).astype(np.float32)
    else:
        mask = completing.masks_of(asked.mask or "random:0.5", x, opened.source.kind, asked.seed)
    completing.refuse_nothing(mask, f"table:{place}")
    made = completing.complete(opened.algorithm, view, x, mask, asked.seed, asked.completions)
    _refuse_far(made, x, rows, found, columns)
    values = [table.restored(part, columns) for part in (made.expected, *made.draws)]
    names = list(found.file.names) if not asked.completions else ["completion", *found.file.names]
    lines = []
    for number, filled in enumerate(values):
        for row, shown, numbers in zip(rows, mask, filled, strict=True):
            cells = list(found.file.rows[row])
            for column, seen, value in zip(found.places, shown, numbers, strict=True):
                cells[column] = cells[column] if seen else f"{value:.7g}"
            lines.append(cells if not asked.completions else ["expected" if number == 0 else str(number), *cells])
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write_bytes(path, table.write(found, names, lines))
    told: list[tuple[str, Any]] = [
        ("rows", f"{len(rows)} of {Path(place).name}"),
        ("filled", f"{int((mask == 0).sum())} of {mask.size} cells, " + (
            f"by their expectation and in {asked.completions} draws" if asked.completions else "by their expectation"
        )),
    ]  # fmt: skip
    if made.hidden.any():
        told.append(("NRMSE of what was hidden", completion.nrmse(x, made.expected, made.hidden)))
    return told


def _refuse_far(made: Any, x: Any, rows: Any, found: Any, columns: Any) -> None:
    """UserError where a row has a value so far from those of the run's table that nothing follows from it."""
    import numpy as np

    sound = np.isfinite(made.expected).all(axis=1) & np.isfinite(made.draws).all(axis=(0, 2))
    if sound.all():
        return
    first = int(np.argmin(sound))
    line = f"table:{found.path}, line {found.lines[rows[first]]}"
    far = int(np.argmax(np.nan_to_num(np.abs(x[first]), nan=0.0, posinf=np.inf)))
    if abs(x[first, far]) < FAR:
        raise UserError(f"{line}: what this model makes of it is not finite; evaluate the run, which may have diverged")
    raise UserError(
        f"{line}: column {visible(columns[far].name)!r} has {found.values[rows[first], far]:g}, too far from the "
        f"{columns[far].low:g} to {columns[far].high:g} of the run's table for anything to follow; mend that cell, or "
        "empty it"
    )


def _table_path(run: Path, out: Path | None) -> Path:
    from gen_jax.runs import outputs

    if out is not None:
        return outputs.file(out, "--out", ".csv")
    return picture_path(run, "completions", None).with_suffix(".csv")
