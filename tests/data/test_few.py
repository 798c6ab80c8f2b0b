"""`few:COUNT:SOURCE`: few training examples, all test examples, and no file."""

import numpy as np
import pytest

from gen_jax.core.errors import UserError
from gen_jax.data import load
from gen_jax.data.source import whole
from gen_jax.runs import paths


def test_some_are_kept_evenly_and_the_test_split_is_whole():
    data, base = load.load("few:20:digits"), load.load("digits")
    rows = np.linspace(0, base.train.size - 1, 20).astype(np.int64)
    assert np.array_equal(whole(data.train)["x"], base.train.read(rows)["x"])
    assert np.array_equal(whole(data.test)["x"], whole(base.test)["x"])
    assert data.counts is not None
    assert sum(data.counts) == data.train.size == 20
    assert data.name == "few:20:digits"
    assert len({data.fingerprint, base.fingerprint, load.load("few:21:digits").fingerprint}) == 3


@pytest.mark.parametrize("spec", ["few:8:ring8", "few:8:sprites", "few:8:stacked:digits", "few:8:few:16:digits"])
def test_of_any_data(spec):
    data = load.load(spec)
    assert len(whole(data.train)["x"]) == data.train.size == 8


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("few:digits", "write few:COUNT:SOURCE"),
        ("few:0:digits", "write few:COUNT:SOURCE"),
        ("few:-3:digits", "write few:COUNT:SOURCE"),
        ("few:2.5:digits", "write few:COUNT:SOURCE"),
        ("few:20:", "write few:COUNT:SOURCE"),
        ("few:20:nosuch", "there is no data set"),
        ("few:5000:digits", "ask for 1442 or fewer"),
        ("few:", "few:COUNT:SOURCE"),
    ],
)
def test_what_says_no_number_is_refused(spec, says):
    with pytest.raises(UserError, match=says):
        load.load(spec)


@pytest.mark.parametrize(
    "start", ["folder:", "pairs:", "wav:", "npz:", "shrunk:folder:", "edges:npz:", "few:9:folder:"]
)
def test_a_folder_is_found_from_elsewhere(start, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert paths.resolved_spec(f"{start}pics") == f"{start}{tmp_path.resolve()}/pics"
