"""Another data set as a model of the first sees it: by the first's units and classes, or not at all."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.io import wavfile

from gen_jax.core.errors import UserError
from gen_jax.data import load, source
from gen_jax.data.alike import alike
from gen_jax.runs.config import Config

ROWS = "a,b,of\n" + "".join(f"{k},{10 * k},{'xyz'[k % 3]}\n" for k in range(40))


def written(folder, text, name):
    (folder / name).write_text(text)
    return f"table:{folder / name}"


def test_a_table_is_in_the_units_of_the_first(tmp_path):
    """Rows far from the first table's are far from them, whatever their own mean; the order of columns is the first's,
    and a category has the number that it had there."""
    own = load.load(written(tmp_path, ROWS, "own.csv"))
    text = "of,b,a\n" + "".join(f"{'zq'[k % 2]},{10_000 + k},{1000 + k}\n" for k in range(20))
    found = alike(own, Config(), written(tmp_path, text, "odd.csv"), "--data")
    x = np.concatenate([source.whole(split)["x"] for split in (found.train, found.test)])
    assert (x[:, :2] > 80).all()
    assert set(x[:, 2]) == {2.0, -1.0}  # z, and what the first table has not
    assert own.columns == found.columns
    again = alike(own, Config(), f"table:{tmp_path / 'own.csv'}", "--data")
    assert again.fingerprint == own.fingerprint
    np.testing.assert_array_equal(source.whole(again.test)["x"], source.whole(own.test)["x"])


def test_what_is_said_of_columns_is_said_of_the_other_table_too(tmp_path):
    """But the rows to test on are the first's: those of the other would be them again."""
    (tmp_path / "said.toml").write_text(
        'test = "test.csv"\n[kinds]\na = "drop"\nof = "category"\n[spellings.of]\n"X" = "x"\n'
    )
    written(tmp_path, ROWS, "test.csv")
    config = SimpleNamespace(columns=str(tmp_path / "said.toml"))
    own = load.load(written(tmp_path, ROWS, "own.csv"), columns=config.columns)
    found = alike(own, config, written(tmp_path, "b,of\n1,X\n2,y\n", "few.csv"), "--data")
    assert found.train.size + found.test.size == 2
    x = np.concatenate([source.whole(split)["x"] for split in (found.train, found.test)])
    assert sorted(x[:, 1]) == [0.0, 1.0]


def labelled(names=None, classes=3, extra=()):
    arrays = {"x": np.zeros((12, 4, 4, 1), np.uint8), "label": np.arange(12, dtype=np.int32) % classes}
    arrays |= {name: np.zeros((12, *shape), np.uint8) for name, shape in extra}
    return source.from_arrays("npz:made", arrays, arrays, classes, names=names)


@pytest.mark.parametrize(
    ("own", "other", "given", "words"),
    [
        (labelled(("cat", "dog", "owl")), labelled(("ant", "bee", "cow")), ("label",), ["ant, bee", "cat, dog"]),
        (labelled(("cat", "dog", "owl")), labelled(("dog", "cat", "owl")), ("label",), ["dog, cat", "cat, dog"]),
        (labelled(), labelled(classes=4), ("label",), ["0, 1, 2, 3 there"]),
        (labelled(extra=[("input", (2, 2, 1))]), labelled(), ("input",), ["given input"]),
        (
            labelled(extra=[("input", (2, 2, 1))]),
            labelled(extra=[("input", (4, 4, 1))]),
            ("input",),
            ["(4, 4, 1)", "(2, 2, 1)"],
        ),
        (labelled(), labelled(("cat", "dog", "owl")), (), None),
        (labelled(("0", "1", "2")), labelled(), ("label",), None),
    ],
)
def test_what_a_model_is_given_is_what_it_was_given(monkeypatch, own, other, given, words):
    monkeypatch.setitem(load.PLAIN, "digits", lambda: other)
    if words is None:
        assert alike(own, Config(), "digits", "--data", given).name == other.name
        return
    with pytest.raises(UserError) as caught:
        alike(own, Config(), "digits", "--data", given)
    assert all(word in str(caught.value) for word in ["--data digits", *words]), str(caught.value)


def test_sounds_have_a_rate_and_tables_are_of_tables(tmp_path):
    for folder, rate in (("slow", 8000), ("fast", 16_000)):
        (tmp_path / folder).mkdir()
        for k in range(3):
            wavfile.write(tmp_path / folder / f"{k}.wav", rate, np.arange(100, dtype=np.int16))
    own = load.load(f"wav:{tmp_path / 'slow'}")
    assert alike(own, Config(), f"wav:{tmp_path / 'slow'}", "--data").fingerprint == own.fingerprint
    with pytest.raises(UserError, match=r"16,000 Hz.*8,000 Hz"):
        alike(own, Config(), f"wav:{tmp_path / 'fast'}", "--data")
    table = load.load(written(tmp_path, ROWS.replace(",of", "").replace(",x", "").replace(",y", "").replace(",z", ""),
                              "two.csv"))  # fmt: skip
    with pytest.raises(UserError, match=r"--data ring8: this run is of a table"):
        alike(table, Config(), "ring8", "--data")
    with pytest.raises(UserError, match=r"holds rows, and this model is of points"):
        alike(load.load("ring8"), Config(), f"table:{tmp_path / 'two.csv'}", "--data")
