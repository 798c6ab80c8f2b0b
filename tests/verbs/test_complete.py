"""`complete`: what is written, that nothing observed is touched, and one line for what cannot be."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import gen_jax
from gen_jax.core.errors import UserError
from gen_jax.verbs.complete import complete

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
QUIET = {"evaluate_every": 0, "sample_every": 0, "checkpoint_every": 0, "batch_size": 16, "steps": 2}


def text(rows: int = 30) -> str:
    random = np.random.default_rng(0)
    lines = [["a", "b b", "c"]] + [[f"{i}.50", "" if i % 3 == 0 else f"{i % 7}", f"{v:.3f}"]
                                  for i, v in enumerate(random.normal(size=rows))]  # fmt: skip
    return "\n".join(",".join(line) for line in lines) + "\n"


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """(a run of a table with gaps, the table)."""
    place = tmp_path_factory.mktemp("table")
    (place / "t.csv").write_text(text())
    small = {"data": f"table:{place / 't.csv'}", "width": 8, "samples": 3, "latent_size": 2, **QUIET}
    gen_jax.train(EXPERIMENTS / "miwae.py", small, place / "run")
    return place / "run", place / "t.csv"


def rows_of(path: Path) -> list[list[str]]:
    return list(csv.reader(path.read_text().splitlines()))


def test_gaps_of_a_table_are_filled_and_nothing_else(table, capsys):
    run, file = table
    out = file.parent / "filled.csv"
    complete(run, data=f"table:{file}", out=out, completions=2, json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["filled"].startswith("10 of 90 cells")
    (header, *made), (names, *before) = rows_of(out), rows_of(file)
    assert header == ["completion", *names]
    assert [row[0] for row in made] == ["expected"] * 30 + ["1"] * 30 + ["2"] * 30
    for number, row in enumerate(made):
        for cell, old in zip(row[1:], before[number % 30], strict=True):
            assert cell == old if old else np.isfinite(float(cell))
    first, second = (np.array([float(row[2]) for row in made[30 * i : 30 * (i + 1)]]) for i in (1, 2))
    gaps = np.array([row[1] == "" for row in before])
    assert (first[gaps] != second[gaps]).all()
    # Rows in another order, or alone: a gap is filled by its own row. Rows of one call differ in their noise alone.
    complete(run, data=f"table:{file}", out=out, completions=0)
    assert [len(row) for row in rows_of(out)] == [3] * 31
    assert all(cell for row in rows_of(out) for cell in row)


def test_by_default_held_out_rows_lose_half_of_their_cells(table, capsys):
    run, _ = table
    complete(run, completions=1, json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["NRMSE of what was hidden"] > 0
    assert len(rows_of(run / "pictures" / "completions.csv")) == 1 + 2 * 3


def test_another_table_is_read_as_the_runs_own_was(tmp_path):
    """What `--columns` leaves out and spells otherwise is so for the model there, too; the file keeps it."""
    rows = [line.split(",") for line in text().splitlines()]
    keyed = "\n".join(",".join([f"k{i}", *row]) for i, row in enumerate(rows[1:]))
    (tmp_path / "t.csv").write_text(f"key,{','.join(rows[0])}\n{keyed}\n")
    (tmp_path / "new.csv").write_text(f"key,{','.join(rows[0])}\n{keyed.replace(',1,', ',one,')}\n")
    turned = [[row[3], row[0], row[2], row[1]] for row in (line.split(",") for line in keyed.splitlines())]
    turned = "\n".join(map(",".join, [["c", "key", "b b", "a"], *turned]))
    (tmp_path / "turned.csv").write_text(turned)
    (tmp_path / "columns.toml").write_text('[kinds]\nkey = "drop"\n[spellings."b b"]\none = "1"\n')
    small = {"data": f"table:{tmp_path / 't.csv'}", "columns": str(tmp_path / "columns.toml"), "width": 8,
             "samples": 3, "latent_size": 2, **QUIET}  # fmt: skip
    gen_jax.train(EXPERIMENTS / "miwae.py", small, tmp_path / "run")
    for name in ("t.csv", "new.csv", "turned.csv"):
        complete(tmp_path / "run", data=f"table:{tmp_path / name}", out=tmp_path / f"filled-{name}", completions=0)
    made = rows_of(tmp_path / "filled-new.csv")
    assert made[0] == ["key", "a", "b b", "c"]
    assert [row[0] for row in made[1:]] == [f"k{i}" for i in range(len(made) - 1)]
    assert any("one" in row for row in made)
    own = rows_of(tmp_path / "filled-t.csv")
    assert [["1" if cell == "one" else cell for cell in row] for row in made] == own
    other = rows_of(tmp_path / "filled-turned.csv")
    assert other[0] == ["c", "key", "b b", "a"]
    assert [[row[1], row[3], row[2], row[0]] for row in other] == own
    (tmp_path / "t.csv").rename(tmp_path / "moved.csv")
    asked = {"data": f"table:{tmp_path / 'new.csv'}", "out": tmp_path / "o.csv"}
    with pytest.raises(UserError, match="say with --run-data where they are now"):
        complete(tmp_path / "run", **asked)
    complete(tmp_path / "run", run_data=f"table:{tmp_path / 'moved.csv'}", **asked)
    (tmp_path / "columns.toml").unlink()
    with pytest.raises(UserError, match="this run reads its table by that file: put it there again"):
        complete(tmp_path / "run", run_data=f"table:{tmp_path / 'moved.csv'}", **asked)


@pytest.mark.parametrize("far", ["1e300", pytest.param("-1e300", marks=pytest.mark.science)])
def test_a_cell_from_which_nothing_follows_is_named(table, tmp_path, far):
    """It was completed by the text "nan"."""
    run, _ = table
    (tmp_path / "far.csv").write_text(f"a,b b,c\n1,2,\n{far},2,\n")
    with pytest.raises(UserError, match=r"far.csv, line 3: column 'a' has -?1e\+300, too far from the .* to "):
        complete(run, data=f"table:{tmp_path / 'far.csv'}", out=tmp_path / "o.csv", completions=1)
    assert not (tmp_path / "o.csv").exists()


def test_pictures_have_a_row_an_example(tmp_path, capsys):
    small = {"data": "digits", "width": 4, "stages": 1, "latent_size": 2, **QUIET}
    run = gen_jax.train(EXPERIMENTS / "inpaint_vae.py", small, tmp_path / "run")
    mask = np.zeros((8, 8), np.uint8)
    mask[:, :4] = 255
    Image.fromarray(mask).save(tmp_path / "left.png")
    for how in ("half", str(tmp_path / "left.png")):
        complete(run.path, mask=how, count=3, completions=4, out=tmp_path / "p.png")
        picture = np.asarray(Image.open(tmp_path / "p.png"))
        assert picture.shape[1] > 2 * picture.shape[0]  # 3 rows of 7
    for name, shape in (("wrong", (8, 4)), ("many", (5, 8, 8)), ("nothing", (8, 8))):
        np.save(tmp_path / f"{name}.npy", np.ones(shape) if name != "nothing" else np.zeros(shape))
        says = "nothing observed" if name == "nothing" else r"give \[8, 8\], for all examples, or \[3, 8, 8\]"
        with pytest.raises(UserError, match=says):
            complete(run.path, mask=str(tmp_path / f"{name}.npy"), count=3)
    with pytest.raises(UserError, match="did you mean half"):
        complete(run.path, mask="hlf")
    with pytest.raises(UserError, match="of shape"):
        complete(run.path, data="sprites")
    scores = run.evaluate("nrmse,completion_psnr,missing_nll,completion_diversity", samples=20, nll_samples=4)
    assert scores["NRMSE of expected values"]["value"] > 0
    assert np.isfinite([score["value"] for score in scores.values()]).all()
    with pytest.raises(UserError, match="for tables"):
        run.evaluate("interval_coverage")


def test_mistakes_get_one_line_and_write_nothing(table, tmp_path):
    run, _ = table
    (tmp_path / "full.csv").write_text("a,b b,c\n1,2,3\n4,5,6\n")
    (tmp_path / "empty.csv").write_text("a,b b,c\n1,2,\n,,\n")
    (tmp_path / "text.csv").write_text("a,b b,c\n1,2,\n1,tall,3\n")
    (tmp_path / "other.csv").write_text("a,d,c\n1,2,\n")
    out = tmp_path / "out.csv"
    cases = [
        ({"data": f"table:{tmp_path / 'full.csv'}"}, "has no gaps"),
        ({"data": f"table:{tmp_path / 'empty.csv'}"}, r"example 1 \(counted from 0\) has nothing observed"),
        ({"data": f"table:{tmp_path / 'text.csv'}"}, r"column 'b b' has text \('tall' in line 3\)"),
        ({"data": f"table:{tmp_path / 'other.csv'}"}, "no column 'b b'"),
        ({"data": "digits"}, "give table:PATH"),
        ({"mask": "half"}, "these are points"),
        ({"mask": str(tmp_path / "no.npy")}, "no such file"),
        ({"count": 1000}, "ask for 1 to 3"),
    ]
    for arguments, says in cases:
        with pytest.raises(UserError, match=says) as caught:
            complete(run, out=out, **arguments)
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="written as .csv"):
        complete(run, out=tmp_path / "out.png")
    assert not out.exists()


def test_a_model_that_needs_all_values_says_so(table, tmp_path):
    _, file = table
    with pytest.raises(UserError, match="has missing values, and this model needs them all; use miwae"):
        gen_jax.train(EXPERIMENTS / "gan.py", {"data": f"table:{file}", **QUIET}, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_model_that_does_not_complete_says_so(tmp_path):
    small = {"data": "digits", "width": 4, **QUIET}
    run = gen_jax.train(EXPERIMENTS / "vae.py", small, tmp_path / "run")
    with pytest.raises(UserError, match="draws prior, truncated; train inpaint_vae.py"):
        complete(run.path)
    shutil.rmtree(tmp_path / "run")
