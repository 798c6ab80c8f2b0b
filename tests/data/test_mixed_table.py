"""Tables of numbers and categories: how columns are read, the way back to the same texts, what a person says."""

import dataclasses

import numpy as np
import pytest

from gen_jax.core.errors import UserError
from gen_jax.data import columns, frequencies, load, reading, table, table_plan

CITIES = ("Paris", "Rome", " Oslo ")
ROWS = [
    [str(20 + i % 50), f"{(i * 7 % 91) / 4:.2f}", "?" if i % 9 == 4 else CITIES[i // 2 % 3], "yes" if i % 4 else "no"]
    for i in range(200)
]


def text_of(rows, names="age,pay,city,buys"):
    return "\n".join([*([names] if names else []), *(",".join(row) for row in rows)]) + "\n"


def written(tmp_path, text, name="t.csv"):
    path = tmp_path / name
    path.write_text(text)
    return str(path)


def loaded(tmp_path, rows=ROWS, said=None, name="t.csv"):
    return load.load(f"table:{written(tmp_path, text_of(rows), name)}", columns=said)


def test_kinds_are_inferred_and_told(tmp_path):
    found = loaded(tmp_path)
    assert [column.kind for column in found.columns] == ["integer", "continuous", "category", "category"]
    assert [column.decimals for column in found.columns] == [0, 2, None, None]
    assert found.columns[2].categories == ("Oslo", "Paris", "Rome")
    assert found.kind.mixed
    line = reading.line(found)
    for part in ("1 integer: age", "1 continuous: pay", "2 category: city, buys", "rows of 4 columns", "missing"):
        assert part in line


def test_the_way_back_is_the_file(tmp_path):
    """Every cell of every row, as it was written; texts without the blanks around them."""
    found = loaded(tmp_path)
    kept, held = table.source.holdout(len(ROWS))
    for rows, split in ((kept, found.train), (held, found.test)):
        again = columns.texts(split.arrays["x"], found.columns)
        assert again == [[cell.strip() for cell in ROWS[row]] for row in rows]
        # As numbers, too: to what counts equal values, one that is off in the last bit is another value.
        numbers = columns.real(split.arrays["x"], found.columns)[:, :2]
        assert (numbers == [[float(cell) for cell in ROWS[row][:2]] for row in rows]).all()


def test_parquet_is_the_same_table(tmp_path):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    held = {
        "age": [int(row[0]) for row in ROWS],
        "pay": [float(row[1]) for row in ROWS],
        "city": [None if row[2] == "?" else row[2].strip() for row in ROWS],
        "buys": [row[3] for row in ROWS],
    }
    parquet.write_table(arrow.table(held), tmp_path / "t.parquet")
    one, other = loaded(tmp_path), load.load(f"table:{tmp_path / 't.parquet'}")
    np.testing.assert_array_equal(one.train.arrays["x"], other.train.arrays["x"])
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 not")
    with pytest.raises(UserError, match="no sound Parquet"):
        load.load(f"table:{tmp_path / 'bad.parquet'}")


@pytest.mark.parametrize("mixed", [False, True])
def test_parquet_always_has_names(tmp_path, mixed):
    """Also such as are numbers, which name no columns in a CSV; and `names` beside them are the same or refused."""
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    held = {"2019": list(range(40)), "2020": [str(i % 3) + "xy" if mixed else i / 2 for i in range(40)]}
    parquet.write_table(arrow.table(held), tmp_path / "t.parquet")
    found = load.load(f"table:{tmp_path / 't.parquet'}")
    assert [column.name for column in found.columns] == ["2019", "2020"]
    assert (found.train.size + found.test.size, found.columns[0].low) == (40, 0)
    same, other = (written(tmp_path, f"names = {n}", f"{n[2]}.toml") for n in ('["2019", "2020"]', '["a", "b"]'))
    assert load.load(f"table:{tmp_path / 't.parquet'}", columns=same).train.size == found.train.size
    with pytest.raises(UserError, match=r"names its columns itself \(2019, 2020\), and `names` are others"):
        load.load(f"table:{tmp_path / 't.parquet'}", columns=other)


@pytest.mark.parametrize(
    ("head", "names", "says"),
    [
        ("City,Buys", ["city", "buys"], "refused"),
        ("buys,city", ["city", "buys"], "refused"),
        ("town,sold", ["city", "buys"], "its first line is read as values, since `names` are given (town, sold)"),
        ("city,buys", ["city", "buys"], None),
        (None, ["city", "buys"], None),
        (None, ["Rome", "yes"], None),  # they come again below: values
    ],
)
def test_names_beside_a_line_of_names(tmp_path, head, names, says):
    rows = [[("Rome", "Oslo", "Bern")[i % 3], ("yes", "no")[i % 2]] for i in range(60)]
    said = written(tmp_path, f"names = {names}", "c.toml")
    path = f"table:{written(tmp_path, text_of(rows, head))}"
    if says == "refused":
        with pytest.raises(UserError, match="names its columns itself"):
            load.load(path, columns=said)
        return
    line = reading.line(load.load(path, columns=said))
    assert (says in line) if says else ("first line" not in line)


HELD = {"all": ["hi.", "lo."], "half": ["hi.", "lo"], "none": ["hi", "lo"], "missing": ["?", "?"], "some": ["hi.", "?"]}


@pytest.mark.parametrize(
    ("held", "said", "says"),
    [
        ("all", 'target = "y"', "UserError"),
        ("all", "", "y is 'hi.' or the like in 20 of 20 rows"),
        ("half", 'target = "y"', "y is 'hi.' or the like in 10 of 20 rows"),
        ("some", 'target = "y"', "UserError"),
        ("some", "", "y is 'hi.' or the like in 10 of 20 rows"),
        ("none", 'target = "y"', None),
        ("missing", 'target = "y"', None),
        ("all", 'target = "y"\n[spellings.y]\n"hi." = "hi"\n"lo." = "lo"', None),
    ],
)
def test_held_out_categories_that_no_train_row_has_are_told(tmp_path, held, said, says):
    """And refused where they are all there is of the target; so are those of other data beside a run's."""
    rows = [[f"{i}.5", ("hi", "lo")[i % 2]] for i in range(60)]
    other = written(tmp_path, text_of([[f"{i}.5", HELD[held][i % 2]] for i in range(20)], "a,y"), "te.csv")
    path = f"table:{written(tmp_path, text_of(rows, 'a,y'))}"
    columns_ = written(tmp_path, f'test = "te.csv"\n{said}\n', "c.toml")
    advice = r"\[spellings.y\] in the file of --columns"
    own = load.load(path, columns=written(tmp_path, said, "own.toml"))
    if says == "UserError":
        for read in (lambda: load.load(path, columns=columns_), lambda: table.alike(other, own, columns_)):
            with pytest.raises(UserError, match=f"the target y is 'hi.' or the like in .* {advice}") as caught:
                read()
            assert "\n" not in str(caught.value)
        return
    for found in (load.load(path, columns=columns_), table.alike(other, own, columns_)):
        line = reading.line(found)
        assert (says in line) if says else ("no train row has" not in line)


def test_a_file_says_names_test_rows_spellings_and_kinds(tmp_path):
    written(tmp_path, "| no row\n" + text_of(ROWS[:150], None), "train.data")
    written(tmp_path, text_of([[*row[:3], row[3] + "."] for row in ROWS[150:]], None), "held.data")
    said = """names = ["age", "pay", "city", "buys"]
test = "held.data"
comment = "|"
target = "buys"
[kinds]
age = "category"
pay = "drop"
[spellings.buys]
"yes." = "yes"
"no." = "no"
"""
    found = load.load(f"table:{tmp_path / 'train.data'}", columns=written(tmp_path, said, "columns.toml"))
    assert [column.name for column in found.columns] == ["age", "city", "buys"]
    assert (found.train.size, found.test.size, found.target) == (150, 50, "buys")
    assert found.columns[0].kind == "category"
    assert found.columns[2].categories == ("no", "yes")
    assert set(np.unique(found.test.arrays["x"][:, 2])) == {0.0, 1.0}


def test_held_out_rows_touch_nothing(tmp_path):
    """Missing values and other numbers planted in them, and categories that no train row has."""
    plain = loaded(tmp_path)
    _, held = table.source.holdout(len(ROWS))
    rows = [list(row) for row in ROWS]
    for number, row in enumerate(held):
        rows[row] = ["", "1e6", "Lima", "?"] if number % 2 else ["-5", "", "", "maybe"]
    other = loaded(tmp_path, rows)
    np.testing.assert_array_equal(plain.train.arrays["x"], other.train.arrays["x"])
    assert plain.columns == other.columns
    np.testing.assert_array_equal(plain.others["weighted"].thresholds, other.others["weighted"].thresholds)
    assert {-1.0} <= set(other.test.arrays["x"][:, 3][::2])


def test_the_order_of_rows_changes_nothing_but_the_order(tmp_path):
    order = np.random.default_rng(0).permutation(150)
    said = written(tmp_path, f'test = "{written(tmp_path, text_of(ROWS[150:]), "h.csv")}"\n', "c.toml")
    one = loaded(tmp_path, ROWS[:150], said)
    other = loaded(tmp_path, [ROWS[i] for i in order], said, "o.csv")
    np.testing.assert_allclose(other.train.arrays["x"], one.train.arrays["x"][order], rtol=1e-6)
    assert [c.categories for c in one.columns] == [c.categories for c in other.columns]


def test_numbers_alone_are_what_they_were(tmp_path):
    """A table without texts is read by another way to the same bits and fingerprint, whatever is inferred of it."""
    rows = [row[:2] for row in ROWS]
    found = load.load(f"table:{written(tmp_path, text_of(rows, 'age,pay'))}")
    assert not found.kind.mixed
    assert not found.others
    values = np.array(rows, float)
    kept, _ = table.source.holdout(len(rows))
    mean, scale = values[kept].mean(axis=0), values[kept].std(axis=0)
    np.testing.assert_array_equal(found.train.arrays["x"], ((values - mean) / scale).astype(np.float32)[kept])
    bare = table.source.from_arrays("n", {"x": found.train.arrays["x"]}, {"x": found.test.arrays["x"]}, None)
    told = [(c.name, c.mean, c.scale) for c in found.columns]
    assert found.fingerprint == table.source.digest(bare.fingerprint, *told)


def test_rows_are_drawn_by_the_logarithm_of_a_category(tmp_path):
    """Of one column: P(category) as log(1 + count), within it each row alike (Xu et al. 2019, 4.3)."""
    codes = np.array([0.0] * 90 + [1.0] * 9 + [np.nan])
    of = frequencies.of_column(codes, 2)
    np.testing.assert_array_equal(of.counts, [90, 9, 1])
    np.testing.assert_allclose(of.chances, np.log([91, 10, 2]) / np.log([91, 10, 2]).sum())
    found = frequencies.shares(np.stack([codes, codes[::-1]], axis=1), [True, True])
    np.testing.assert_allclose(found.sum(), 1.0)
    np.testing.assert_allclose(found[:90, 0], of.chances[0] / 90 / 2)
    np.testing.assert_allclose(found[99, 0], of.chances[2] / 2)


def test_a_key_is_pointed_at(tmp_path):
    rows = [[str(1000 + i), *row[1:]] for i, row in enumerate(ROWS)]
    assert "as of a key (--columns NAME=drop leaves out): age" in reading.line(loaded(tmp_path, rows))
    assert "as of a key" not in reading.line(loaded(tmp_path))


@pytest.mark.parametrize(
    ("change", "said", "says"),
    [
        (lambda rows: [[f"{row[0]} y", *row[1:]] for row in rows], "age=integer", r"'age' has text \('20 y' in line 2"),
        (lambda rows: [*rows[:-1], ["4 km", *rows[-1][1:]]], None, r"'age' has text \('4 km' in line 201\)"),
        (lambda rows: [["4 km", *rows[0][1:]], *rows[1:]], None, "--columns age=category"),
        (lambda rows: [[*row[:2], f"c{i}", row[3]] for i, row in enumerate(rows)], None, "no text comes twice"),
        (lambda rows: [[row[0], f'"{i},5"', *row[2:]] for i, row in enumerate(rows)], None, "points for decimals"),
        (lambda rows: [[row[0], f'"{i % 9},234"', *row[2:]] for i, row in enumerate(rows)], None, "between thousands"),
        (lambda rows: [[row[0], f'"{i},5"' if i % 2 else "7", *row[2:]] for i, row in enumerate(rows)], None, "commas"),
        (lambda rows: rows, "pay=integer", "'pay' holds whole numbers, and"),
        (lambda rows: rows, "pays=integer", "no column 'pays'; it has age, pay, city, buys"),
        (lambda rows: rows, "pay=number", "'pay' is to be 'number'; there are continuous, integer, category, drop"),
        (lambda rows: rows, "pay", "give NAME=KIND"),
        (lambda rows: rows, "age=drop,pay=drop,city=drop,buys=drop", "leaves out all columns"),
        (lambda rows: rows, "none.toml", "no such file"),
        (lambda rows: rows, "buys=drop,buys=target", "choose one of the two"),
    ],
)  # fmt: skip
def test_mistakes_in_columns_get_one_line(tmp_path, change, said, says):
    with pytest.raises(UserError, match=says) as caught:
        loaded(tmp_path, change(ROWS), said)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("names = 3", "`names` is a list"),
        ("nams = []", "no entry 'nams'; there are names, test"),
        ("target = 1", "`target` is a text"),
        ('test = "there.csv"', "names .*there.csv, and there is no such file"),
        ("[kinds]\nage = 3", r"\[kinds\]: write NAME"),
        ('[kinds]\nage = "words"', "'age' is to be 'words'"),
        ("spellings = 3", r"write \[spellings.COLUMN\]"),
        ("[spellings]\nage = 3", r"\[spellings.age\]: write NAME"),
        ("names = [", "no TOML"),
        ('names = ["a", "b"]', "has 4 columns and `names` are 2"),
        ('names = ["a", "b", "c", "c"]', "two columns called 'c'"),
        ('target = "income"', "no column 'income'"),
    ],
)
def test_mistakes_in_a_file_of_columns_get_one_line(tmp_path, text, says):
    with pytest.raises(UserError, match=says) as caught:
        loaded(tmp_path, said=written(tmp_path, text, "c.toml"))
    assert "\n" not in str(caught.value)


def test_a_line_of_values_is_no_line_of_names(tmp_path):
    with pytest.raises(UserError, match="first line looks like values"):
        load.load(f"table:{written(tmp_path, text_of(ROWS, None))}")


def test_columns_are_of_tables():
    with pytest.raises(UserError, match="--columns says what a table's columns are"):
        load.load("digits", columns="a=category")
    assert table_plan.plan("a=b=drop").kinds == {"a=b": "drop"}


def test_what_is_read_can_be_kept(tmp_path):
    """A source is a frozen record: a copy with other splits keeps its columns."""
    found = loaded(tmp_path)
    assert dataclasses.replace(found, name="copy").columns == found.columns
