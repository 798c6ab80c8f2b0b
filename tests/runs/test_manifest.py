"""The manifest says what ran, over all sittings of a run, and how it ended."""

import json
import subprocess
from dataclasses import replace

import jax
import numpy as np
import pytest

from gen_jax.core.errors import UserError
from gen_jax.data import source
from gen_jax.runs import manifest

PIXELS = {"x": np.zeros((4, 2, 2, 1), np.uint8)}
DATA = replace(source.from_arrays("digits", PIXELS, PIXELS, None), fingerprint="ab" * 32)
PARAMETERS = {"generator": 1234567, "critic": 89}


def read(run_dir):
    return json.loads((run_dir / "manifest.json").read_text())


def test_a_run_in_two_sittings(tmp_path, monkeypatch):
    clock = iter([100.0, 130.0, 200.0, 205.5])
    monkeypatch.setattr(manifest.time, "time", lambda: next(clock))
    manifest.start(tmp_path, DATA, PARAMETERS, "sharded", 4, 0)
    assert read(tmp_path)["status"] == "running"
    manifest.update(tmp_path, compile_seconds=12.5, note="mine")
    manifest.finish(tmp_path, "stopped", "SIGTERM")
    first = read(tmp_path)
    assert (first["status"], first["reason"], first["note"]) == ("stopped", "SIGTERM", "mine")
    assert first["sittings"][0]["run_seconds"] == 17.5  # 30 s less the compiling

    manifest.start(tmp_path, DATA, PARAMETERS, "jit", 1, 40)
    manifest.update(tmp_path, compile_seconds=1.5)
    manifest.finish(tmp_path, "complete")
    second = read(tmp_path)
    assert second["sittings"][0] == first["sittings"][0]
    assert [sitting["from_step"] for sitting in second["sittings"]] == [0, 40]
    assert second["status"] == "complete"
    assert second["reason"] is None
    assert second["data"].items() >= {"name": "digits", "fingerprint": "ab" * 32}.items()
    assert second["parameters"] == PARAMETERS

    rows = dict(manifest.summary(tmp_path))
    assert rows["status"] == "complete"
    assert rows["resumed at step"] == "40"
    assert rows["training time"] == "21.5 s"
    assert rows["compile time"] == "14.0 s"
    assert rows["parameters"] == "generator 1,234,567, critic 89"


def test_versions_and_machine_are_those_of_this_process(tmp_path, monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--some_flag=1")
    manifest.start(tmp_path, DATA, PARAMETERS, "jit", 1, 0)
    sitting = read(tmp_path)["sittings"][0]
    assert sitting["versions"]["jax"] == jax.__version__
    assert sitting["versions"]["numpy"] == np.__version__
    assert sitting["flags"]["XLA_FLAGS"] == "--some_flag=1"
    assert sitting["flags"]["jax_enable_x64"] is False
    assert len(sitting["platform"]["devices"]) == jax.device_count()
    assert sitting["platform"]["cpu"]


def test_code_is_the_checkout_or_none(tmp_path):
    def git(*arguments):
        subprocess.run(["git", "-C", tmp_path, "-c", "user.name=a", "-c", "user.email=a@b", *arguments], check=True)

    package = tmp_path / "gen_jax"
    package.mkdir()
    (package / "x.py").write_text("1")
    assert manifest.code(package) == {"commit": None, "dirty": None}
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    found = manifest.code(package)
    assert len(found["commit"]) == 40
    assert found["dirty"] is False
    (package / "x.py").write_text("2")
    assert manifest.code(package)["dirty"] is True
    installed = tmp_path / ".venv" / "site-packages" / "gen_jax"
    installed.mkdir(parents=True)
    assert manifest.code(installed) == {"commit": None, "dirty": None}


def test_missing(tmp_path):
    assert manifest.summary(tmp_path) == []
    with pytest.raises(UserError, match="missing"):
        manifest.finish(tmp_path, "complete")
