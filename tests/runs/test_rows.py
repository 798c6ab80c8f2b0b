"""A run of rows from its data to its CSV, and one line for what cannot be asked of it."""

import csv
import io

import numpy as np
import pytest

import gen_jax
from gen_jax.core.errors import UserError
from gen_jax.core.types import weights
from gen_jax.data.columns import texts
from gen_jax.data.table_files import written
from gen_jax.runs import drawn_rows, tables
from gen_jax.runs.abilities import need_values
from gen_jax.runs.evaluation import rows as measures
from gen_jax.runs.evaluation.subject import Options, Subject
from gen_jax.runs.opened import open_state
from gen_jax.studies import papers

pytestmark = pytest.mark.science  # each trains: a minute of a core in all
TEXT = "age,pay,city,buys\n" + "".join(
    f"{20 + i % 50},{i * 7 % 91 / 4:.2f},{'?' if i % 9 == 4 else ('Rome', 'Paris')[i % 2]},{'yes' if i % 4 else 'no'}\n"
    for i in range(200)
)
SMALL = {"width": 8, "latent_size": 4, "batch_size": 40, "sample_every": 0, "evaluate_every": 0, "checkpoint_every": 0}


@pytest.fixture(scope="module", params=["tvae", "ctgan"])
def opened(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "t.csv").write_text(TEXT)
    asked = {**SMALL, "data": f"table:{folder / 't.csv'}", "columns": "buys=target", "steps": 3, "log": "csv"}
    gen_jax.train(papers.experiments() / f"{request.param}.py", asked, run_dir=folder / "run")
    return open_state(folder / "run", trusted=True)


def csv_of(opened, count, seed, given=()):
    table = tables.need_table(opened.source, "rows")
    found = drawn_rows.draw(opened.algorithm, weights(opened.state), table, count, seed, given=given)
    return written(table.delimiter, [column.name for column in table.columns], texts(found.x, table.columns))


def test_rows_are_like_the_table_and_the_same_bytes_again(opened):
    found = csv_of(opened, 30, 0)
    assert found == csv_of(opened, 30, 0) != csv_of(opened, 30, 1)
    assert csv_of(opened, 40, 0).startswith(found)
    head, *rows = csv.reader(io.StringIO(found.decode()))
    assert head == ["age", "pay", "city", "buys"]
    assert len(rows) == 30
    for age, pay, city, buys in rows:
        assert 20 <= int(age) <= 69
        assert len(pay.partition(".")[2]) == 2
        assert city in ("Paris", "Rome", "?")
        assert buys in ("yes", "no")


def test_conditions_hold(opened):
    _, *rows = csv.reader(io.StringIO(csv_of(opened, 20, 0, ("buys=no", "city=Rome")).decode()))
    assert len(rows) == 20
    assert all(row[2:] == ["Rome", "no"] for row in rows)
    _, *rows = csv.reader(io.StringIO(csv_of(opened, 5, 0, ("city=?",)).decode()))
    assert all(row[2] == "?" for row in rows)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("income=>50K",), "no column 'income'; there are age, pay, city, buys"),
        (("age=30",), "age holds numbers, and conditions are on categories: city, buys"),
        (("city=Oslo",), r"city is never 'Oslo'; it is Paris, Rome, \?"),
        (("buys=?",), r"buys is never '\?'; it is no, yes"),
        (("buys",), "write NAME=VALUE"),
        (("=no",), "write NAME=VALUE"),
        (("buys=no", "buys=yes"), "give each column once"),
    ],
)
def test_conditions_that_are_none_get_one_line(opened, given, says):
    with pytest.raises(UserError, match=says) as caught:
        csv_of(opened, 5, 0, given)
    assert "\n" not in str(caught.value)


def test_no_row_of_the_table_is_in_the_state(opened):
    """What a checkpoint holds is weights: no array has as many rows as the table."""
    import jax

    sizes = {leaf.shape[0] for leaf in jax.tree.leaves(opened.state) if getattr(leaf, "ndim", 0)}
    assert opened.source.train.size not in sizes


def test_every_measure_is_a_number(opened, monkeypatch):
    options = Options(samples=60, repeats=1)
    subject = Subject(opened.algorithm, weights(opened.state), opened.source, opened.config, options)
    for metric in (measures.COLUMN_SHAPES, measures.PAIR_TRENDS, measures.CLOSEST_RECORD):
        metric.check(subject)
        assert metric.stamp(subject)["samples"] == 60
        assert all(np.isfinite(value.value) for value in metric.compute(subject))


def test_what_a_table_cannot_have_gets_one_line(opened, tmp_path):
    from gen_jax.data import load

    (tmp_path / "n.csv").write_text("a,b\n" + "".join(f"{i},{i % 30 + 0.5}\n" for i in range(40)))
    numbers = load.load(f"table:{tmp_path / 'n.csv'}")
    with pytest.raises(UserError, match="columns of numbers alone"):
        drawn_rows.condition(numbers, "a=3")
    subject = Subject(opened.algorithm, weights(opened.state), numbers, opened.config, Options())
    with pytest.raises(UserError, match="nobody said which; train with --columns NAME=target, one of a, b"):
        measures.UTILITY.check(subject)
    words = "is for a table's rows, and digits has images: train tvae.py or ctgan.py with --data table:PATH"
    with pytest.raises(UserError, match=words):
        tables.fitted(load.load("digits"), "tvae")
    with pytest.raises(UserError, match="columns of categories, and this model is of numbers alone"):
        need_values(opened.algorithm._replace(mixed=False), opened.source)


def test_the_verb_writes_the_table_and_says_what_does_not_go_together(opened, tmp_path, capsys):
    from gen_jax.verbs.sample import sample

    run, out = opened.path, tmp_path / "rows.csv"
    sample(run, count=4, out=out, given=("buys=no",), trust=True)
    assert len(out.read_text().splitlines()) == 5
    assert "buys=no: 4 of" in capsys.readouterr().out
    for said, says in [
        ({"out": out, "label": "1"}, "leave out --npz, --to and --label"),
        ({"given": ("buys=no",)}, "give --out rows.csv as well"),
        ({"out": out, "sampler": "posterior"}, "needs held-out examples|encode and decode"),
        ({"out": out, "sampler": "nothing"}, "has not; it has prior"),
    ]:
        with pytest.raises(UserError, match=says):
            sample(run, count=4, trust=True, **said)
