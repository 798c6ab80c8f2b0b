"""`sample RUN`: a grid of samples from a run's model; of a table, rows as CSV."""

import io
from pathlib import Path
from typing import Annotated

import tyro

from gen_jax.core.domains import Sample, Seed, Whole
from gen_jax.core.errors import UserError
from gen_jax.runs import outputs
from gen_jax.runs.access import Access
from gen_jax.verbs.common import HERE, Elsewhere, Trust, Which, open_state, picture_path, show


def sample(
    run: tyro.conf.Positional[Path],
    count: Sample = 64,
    seed: Seed = 0,
    weights: Which = "ema",
    label: str | None = None,
    sampler: str = "prior",
    step: Whole | None = None,
    out: Path | None = None,
    npz: Path | None = None,
    to: Path | None = None,
    given: tuple[str, ...] = (),
    trust: Trust = False,
    access: Elsewhere = HERE,
    json: Annotated[bool, tyro.conf.arg(name="json")] = False,
) -> None:
    """Draw samples and save them as a picture, or those of a table as CSV (--out rows.csv).

    Args:
        run: the run folder
        count: how many samples
        seed: of the latents
        weights: the generator's average (ema) or its raw weights
        label: the class, by name or number, of a conditional model's samples; by default all classes in turn
        sampler: one of the model's, with its options, as `evaluate` takes it: truncated:0.7, heun:20
        step: which checkpoint; the newest by default
        out: the PNG to write; by default RUN/pictures/samples.png. A name that ends in .csv: the rows of a table, with
            its columns, decimals and spellings
        given: of rows as CSV, what they all are: "income=>50K", several with blanks between
        to: write the samples that `evaluate` scores with this seed, a PNG each, into this new folder, and no picture
        npz: also save the samples themselves, float32 in [-1, 1], in this .npz
        json: print JSON
    """
    if out is not None and out.suffix.lower() == ".csv":
        if npz is not None or to is not None or label is not None:
            raise UserError("--out rows.csv writes rows of a table; leave out --npz, --to and --label")
        _rows(run, outputs.file(out, "--out", ".csv"), count, seed, weights, sampler, given, step, trust, access, json)
        return
    if given:
        raise UserError("--given says what the rows of a table are; give --out rows.csv as well")
    path = picture_path(run, "samples", out)
    if npz is not None:
        outputs.file(npz, "--npz", ".npz")
    if to is not None:
        outputs.folder(to, "--to")
        if npz is not None or out is not None or label is not None or sampler != "prior":
            raise UserError(
                "--to writes the samples that `evaluate` scores, each in a file; leave out --out, --npz, --label, "
                "--sampler"
            )
    opened = open_state(run, step, trust, access, {"--out": out, "--npz": npz, "--to": to})
    import numpy as np

    from gen_jax.core.types import weights as weights_of
    from gen_jax.runs import drawing, sample_files
    from gen_jax.runs.files import atomic_write_bytes
    from gen_jax.runs.given import by_class, shown
    from gen_jax.runs.watching import pictures

    view = weights_of(opened.state, averaged=weights == "ema")
    if to is not None:
        written = sample_files.write(opened, view, to, count, seed)
        rows = [("samples", written), ("step", opened.step), ("weights", weights), ("folder", to)]
        show(f"{run}", rows, json)
        return
    images, made_for = drawing.draw(opened, view, count, seed, label, sampler)
    named = by_class(images, made_for, opened.source)
    if named is None:
        pictures.save_grid(path, images, opened.source)
    else:
        pictures.save_rows(path, *named, opened.source)
    if npz is not None:
        content = io.BytesIO()
        np.savez_compressed(content, images=images)
        atomic_write_bytes(npz, content.getvalue())
    told = [("classes", shown(label, made_for, opened.source))] if "label" in made_for else []
    rows = [("samples", count), *told, ("step", opened.step), ("weights", weights), ("picture", path)]
    show(f"{run}", rows, json)


def _rows(
    run: Path, path: Path, count: int, seed: int, weights: str, sampler: str, given: tuple[str, ...], step: int | None,
    trust: bool, access: Access, as_json: bool,
) -> None:  # fmt: skip
    opened = open_state(run, step, trust, access, {"--out": path})
    from gen_jax.core.types import weights as weights_of
    from gen_jax.data.columns import texts
    from gen_jax.data.table_files import written
    from gen_jax.runs import drawn_rows, tables
    from gen_jax.runs.files import atomic_write_bytes

    table = tables.need_table(opened.source, "--out rows.csv")
    view = weights_of(opened.state, averaged=weights == "ema")
    found = drawn_rows.draw(opened.algorithm, view, table, count, seed, sampler, given)
    cells = texts(found.x, table.columns)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write_bytes(path, written(table.delimiter, [column.name for column in table.columns], cells))
    told = [("given", f"{', '.join(given)}: {len(found.x):,} of {found.drawn:,} rows drawn")] if given else []
    rows = [("rows", len(found.x)), *told, ("step", opened.step), ("weights", weights), ("table", path)]
    show(f"{run}", rows, as_json)
