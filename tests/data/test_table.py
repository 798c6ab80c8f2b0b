"""CSV tables: what is read, in which units, and one line for what cannot be."""

import gzip

import numpy as np
import pytest

from gen_jax.core.errors import UserError
from gen_jax.data import load, reading, table
from gen_jax.data.kinds import TABLES

TEXT = "a,b,c\n" + "".join(f"{i},{i % 3},{'' if i % 4 == 0 else i * 0.5}\n" for i in range(40))


def written(tmp_path, text, name="t.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def test_a_table_is_standardised_by_its_train_rows_and_keeps_its_gaps(tmp_path):
    found = load.load(f"table:{written(tmp_path, TEXT)}")
    assert (found.kind.name, found.kind.mixed, found.shape, found.classes) == (TABLES.name, False, (3,), None)
    train = found.train.arrays["x"]
    assert (len(train), found.test.size) == (36, 4)
    np.testing.assert_allclose(np.nanmean(train, axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(np.nanstd(train, axis=0), 1, rtol=1e-5)
    assert np.isnan(train[:, 2]).sum() + np.isnan(found.test.arrays["x"][:, 2]).sum() == 10
    again = table.restored(train, found.columns)
    assert set(np.round(again[:, 0])) <= set(range(40))
    assert "10 of 120 values are missing" in reading.line(found)


def test_held_out_values_touch_no_scaler(tmp_path):
    """Rows that are held out may hold anything: what is trained on is the same."""
    plain = load.load(f"table:{written(tmp_path, TEXT)}")
    _, held = table.source.holdout(40)
    lines = TEXT.splitlines()
    for row in held:
        lines[1 + row] = "1e6,-1e6,1e6"
    other = load.load(f"table:{written(tmp_path, chr(10).join(lines), 'u.csv')}")
    np.testing.assert_array_equal(plain.train.arrays["x"], other.train.arrays["x"])
    assert plain.columns == other.columns
    assert plain.fingerprint != other.fingerprint


@pytest.mark.parametrize("missing", ["", "?", "NA", "nan", "NULL", "None", "n/a", " "])
def test_what_means_missing(tmp_path, missing):
    found = table.read(written(tmp_path, f"x;y\n1;{missing}\n2;3\n"))
    assert np.isnan(found.values[0, 1])
    assert found.file.delimiter == ";"


def test_a_file_without_names_is_read_and_written_by_place(tmp_path):
    """Its columns are numbered, and a run's may be called so in another order."""
    first = table.table(written(tmp_path, TEXT.replace("a,b,c", "c1,c0,c2"), "r.csv"))
    assert [column.name for column in first.columns] == ["c1", "c0", "c2"]
    found = table.like(written(tmp_path, "1,2,3\n", "o.csv"), first.columns)
    assert (found.names, found.values.tolist(), found.places) == (("c1", "c0", "c2"), [[1, 2, 3]], [0, 1, 2])


def test_without_a_line_of_names_with_a_mark_and_packed(tmp_path):
    found = table.read(written(tmp_path, "1\t2\n3\t4\n"))
    assert (found.names, found.file.header, found.values.tolist()) == (("c0", "c1"), False, [[1, 2], [3, 4]])
    assert table.read(written(tmp_path, b"\xef\xbb\xbfa,b\n1,2\n")).names == ("a", "b")
    assert len(table.read(written(tmp_path, gzip.compress(TEXT.encode()), "t.csv.gz")).values) == 40


def test_another_table_comes_in_the_order_of_the_first(tmp_path):
    first = load.load(f"table:{written(tmp_path, TEXT)}")
    found = table.like(written(tmp_path, "c,a,b\n1,2,3\n", "o.csv"), first.columns)
    assert (found.names, found.values.tolist(), found.places) == (("a", "b", "c"), [[2, 3, 1]], [1, 2, 0])
    assert (found.file.names, found.file.rows, found.lines) == (("c", "a", "b"), [["1", "2", "3"]], [2])
    for text, says in [("a,b\n1,2\n", "no column 'c'"), ("a,b,c,d\n1,2,3,4\n", "column 'd' that")]:
        with pytest.raises(UserError, match=says):
            table.like(written(tmp_path, text, "o.csv"), first.columns)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,city\n1,Paris\n2,Rome\n", r"column 'city' has text \('Paris' in line 2\)"),
        ("a,b\n1,2\n3,4 km\n", r"column 'b' has text \('4 km' in line 3\)"),
        ("a,b\n1,2\n3,1_000\n", "column 'b' has text"),
        ("1,2\n3,x\n", "column 'c1' has text"),
        ("a,b\n1,2\n3\n", "line 3: 1 cells, and there are 2 columns"),
        ("a,b\n1,inf\n2,3\n", "column 'b' has an infinite value in line 2"),
        ("a,a\n1,2\n", "two columns called 'a'"),
        ("a,b\n", "no rows"),
        ("", "is empty"),
        ("a,b\n1,2\n", "at least 2"),
        ("a,b\n1,\n2,\n3,\n", "column 'b' has no value"),
        ('a,b\n"1,2\n', "no CSV"),
        (b"\xff\xfea\x00", "UTF-8"),
        ("a,b\n1e308,2\n-1e308,3\n1e308,4\n", "too large"),
    ],
)
def test_mistakes_get_one_line(tmp_path, text, says):
    with pytest.raises(UserError, match=says) as caught:
        load.load(f"table:{written(tmp_path, text)}")
    assert "\n" not in str(caught.value)


def test_what_is_of_images_is_refused(tmp_path):
    path = written(tmp_path, TEXT)
    for option in ({"image_size": 8}, {"channels": 1}):
        with pytest.raises(UserError, match="not images"):
            load.load(f"table:{path}", **option)
    with pytest.raises(UserError, match="no such file"):
        load.load(f"table:{path}x")
    with pytest.raises(UserError, match="did you mean table:PATH"):
        load.load("tabel:x")


@pytest.mark.parametrize(
    ("cells", "said", "says"),
    [
        ([f"{i % 7 + 1:05}" for i in range(40)], None, "a read as numbers, without leading zeros as in 0000"),
        ([f"{i % 7 + 1:05}" for i in range(40)], "a=integer", None),
        ([str(i % 7) for i in range(40)], None, None),  # a zero alone is none before a number
        ([f"0.{i}" for i in range(40)], None, None),
        ([str(2**53 + 2 * i) for i in range(40)], None, None),  # float64 holds the even ones
        ([str(17 * 10**17 + 10**9 * i) for i in range(40)], None, None),  # and nanoseconds of seconds
    ],
)
def test_codes_read_as_numbers_are_told(tmp_path, cells, said, says):
    found = load.load(
        f"table:{written(tmp_path, 'a,b' + chr(10) + ''.join(f'{a},{i}.5{chr(10)}' for i, a in enumerate(cells)))}",
        columns=said,
    )
    line = reading.line(found)
    assert "of one value" not in line
    assert (says in line) if says else ("zeros" not in line)


@pytest.mark.parametrize(("said", "refused"), [(None, True), ("a=integer", True), ("a=continuous", False),
                                               ("a=category", False), ("a=drop", False)])  # fmt: skip
@pytest.mark.parametrize("first", [2**53, 1234567890123456780, -(10**18)])
def test_whole_numbers_that_would_merge_are_refused(tmp_path, said, refused, first):
    text = "a,b\n" + "".join(f"{first + i % 20},{i}.5\n" for i in range(60))
    path = f"table:{written(tmp_path, text)}"
    if not refused:
        load.load(path, columns=said)
        return
    with pytest.raises(UserError, match="different ones become the same; leave it out .--columns a=drop") as caught:
        load.load(path, columns=said)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("mark", "called"), [("|", r"\|"), (" ", "blanks"), ("   ", "blanks"), ("~", "~")])
def test_another_delimiter_is_named(tmp_path, mark, called):
    text = f"x{mark}y\n" + "".join(f"{i}.5{mark}{i}\n" for i in range(40))
    with pytest.raises(UserError, match=f"separated by {called}; save the table with commas"):
        load.load(f"table:{written(tmp_path, text)}")


def test_texts_of_one_column_are_not_taken_for_several(tmp_path):
    text = "x\n" + "".join(f"word {i}{' more' if i % 2 else ''}\n" for i in range(40))
    with pytest.raises(UserError, match="no text comes twice"):
        load.load(f"table:{written(tmp_path, text)}")
