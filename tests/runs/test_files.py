"""Files are whole or not there, and JSON is JSON."""

import enum
import json
import os
import time
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from disk import files_no_larger_than

from gen_jax.core.errors import UserError
from gen_jax.runs import files


class Loss(enum.Enum):
    HINGE = "hinge"


def test_json_of_what_numbers_come_as(tmp_path):
    value = {
        "nan": float("nan"), "inf": np.float32("inf"), "half": np.float16(0.5), "count": np.int64(3), "flag": np.True_,
        "array": jnp.arange(3), "path": Path("a/b"), "loss": Loss.HINGE, 7: (1, None), "set": {2},
    }  # fmt: skip
    files.atomic_write_json(tmp_path / "deep" / "x.json", value)
    assert json.loads((tmp_path / "deep" / "x.json").read_text()) == {
        "nan": None, "inf": None, "half": 0.5, "count": 3, "flag": True, "array": [0, 1, 2], "path": "a/b",
        "loss": "HINGE", "7": [1, None], "set": [2],
    }  # fmt: skip


def test_a_failed_write_keeps_the_old_file_and_leaves_nothing_behind(tmp_path):
    path = tmp_path / "x.txt"
    files.atomic_write_text(path, "old")
    with files_no_larger_than(10), pytest.raises(UserError, match=r"no space left to write .*x\.txt"):
        files.atomic_write_text(path, "new" * 100)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["x.txt"]


def test_others_may_read_what_the_umask_allows(tmp_path):
    before = os.umask(0o022)
    try:
        assert files.atomic_write_text(tmp_path / "x", "").stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(before)


def test_no_folder_can_be_made_there(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write .*Not a directory|File exists"):
        files.atomic_write_text(tmp_path / "file" / "x", "")


def test_reading(tmp_path):
    assert files.read_json(tmp_path / "none", default=[]) == []
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(UserError, match=r"bad\.json is not valid JSON"):
        files.read_json(tmp_path / "bad.json")


def test_what_killed_processes_left_goes_after_an_hour(tmp_path):
    names = {".a.json.x1.tmp": 7200, ".b.json.x2.tmp": 10, "c.json": 7200, "d.tmp": 7200}
    for name, age in names.items():
        (tmp_path / name).write_text("")
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    (tmp_path / ".folder.tmp").mkdir()
    files.clear_unfinished(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {".b.json.x2.tmp", "c.json", "d.tmp", ".folder.tmp"}
