"""What a run tells other trackers: names are checked before anything is written, each gets the same, and one that fails
costs itself. Weights & Biases and MLflow are tried as they are, offline, where they are installed."""

import csv
import json
import math
import subprocess
import sys
from importlib import util

import numpy as np
import pytest
from commands import ROOT

from gen_jax.core.errors import UserError
from gen_jax.runs import log, rehearsal, trackers
from gen_jax.runs.config import Config

LINES = {2: {"loss/critic": 0.5}, 4: {"loss/critic": math.nan, "kl": 3.0}}
PICTURE = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("tensorbord", "there is no 'tensorbord'; there are tensorboard, csv, wandb, mlflow"),
        ("csv;wandb", "with commas between"),
        ("csv,wandb", r"--log wandb needs the package wandb: \S+ -m pip install wandb"),
        ("mlflow", "--log mlflow needs the package mlflow"),
    ],
)
def test_a_wrong_name_is_refused_with_the_settings(asked, words, monkeypatch):
    monkeypatch.setattr(trackers.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=words):
        rehearsal.check(Config(log=asked))


def test_names_are_read_as_people_write_them():
    assert trackers.names(" csv, tensorboard,csv,") == ["csv", "tensorboard"]
    assert trackers.names("") == []


def write(folder, to, start=0, stop=4):
    folder.mkdir(exist_ok=True)
    log.truncate_after(folder / log.FILE, start)
    with log.Log(folder, start, 8, 10, to=to, settings={"seed": 3, "hyper": {"lr": 1e-4}}, quiet=True) as lines:
        for step in range(start + 1, stop + 1):
            if step in LINES:
                lines.write(step, LINES[step])
        lines.picture(stop, PICTURE)


def test_a_table_has_a_row_a_step_and_a_column_a_metric(tmp_path):
    write(tmp_path / "run", "csv", 0, 3)
    write(tmp_path / "run", "csv", 2, 4)  # as a run goes on from a checkpoint
    with (tmp_path / "run" / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["step"], row["images"], row["loss/critic"], row["kl"]) for row in rows] == [
        ("2", "16", "0.5", ""),
        ("4", "32", "nan", "3.0"),
    ]
    assert not (tmp_path / "run" / "tensorboard").exists()


class Failing:
    def __init__(self, ends):
        self.ends, self.seen = ends, []

    def _see(self, *seen):
        self.seen.append(seen)
        if len(self.seen) == self.ends:
            raise ConnectionError("no route to host")

    scalars = image = close = _see


def test_another_package_that_fails_is_told_once_and_left_out(tmp_path, monkeypatch, capsys):
    inner = Failing(ends=2)
    monkeypatch.setattr(trackers, "names", lambda asked: [asked])
    monkeypatch.setitem(sys.modules, "gen_jax.runs.trackers.weights_and_biases", Failing)
    monkeypatch.setattr(Failing, "start", lambda *_: inner, raising=False)
    write(tmp_path / "run", "wandb")
    assert len(inner.seen) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "wandb failed (ConnectionError: no route to host); the run goes on without it, and keeps its log"
    assert len(log.read_lines(tmp_path / "run")) == 2

    def refused(*_):
        raise ValueError("no account")

    monkeypatch.setattr(Failing, "start", refused)
    with pytest.raises(UserError, match="--log wandb: wandb says: ValueError: no account"):
        write(tmp_path / "other", "wandb")


OFFLINE = f"""
import sys
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "tests" / "runs")!r}, {str(ROOT / "tests")!r}]
from pathlib import Path
from test_trackers import write
write(Path(sys.argv[1]), sys.argv[2], 0, 3)
write(Path(sys.argv[1]), sys.argv[2], 2, 4)
"""


def offline(folder, to, **variables):
    """Two sittings of a run, in a process of their own and without a network. Returns what the folder says of it."""
    env = {"PATH": "/usr/bin:/bin", "HOME": str(folder.parent), "PYTHONPATH": ":".join(sys.path), **variables}
    done = subprocess.run([sys.executable, "-c", OFFLINE, folder, to], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-1500:]
    assert "failed" not in done.stderr
    return json.loads((folder / f"{to}.json").read_text())["id"]


@pytest.mark.oracle
@pytest.mark.skipif(util.find_spec("wandb") is None, reason="needs the package wandb")
def test_weights_and_biases_offline(tmp_path):
    name = offline(tmp_path / "run", "wandb", WANDB_MODE="offline", WANDB_SILENT="true")
    kept = [path.name for path in (tmp_path / "run" / "wandb").glob("offline-run-*")]
    assert len(kept) == 2  # a sitting each, of one run
    assert all(each.endswith(name) for each in kept)
    content = b"".join(path.read_bytes() for path in (tmp_path / "run" / "wandb").rglob("*.wandb"))
    assert all(word in content for word in (b"loss/critic", b"hyper.lr", b"samples"))


@pytest.mark.oracle
@pytest.mark.skipif(util.find_spec("mlflow") is None, reason="needs the package mlflow")
def test_mlflow_offline(tmp_path):
    store = tmp_path / "store"
    name = offline(tmp_path / "run", "mlflow", MLFLOW_TRACKING_URI=store.as_uri(), MLFLOW_ALLOW_FILE_STORE="true")
    (run,) = store.glob(f"*/{name}")
    rows = [line.split()[1:] for line in (run / "metrics" / "loss" / "critic").read_text().splitlines()]
    assert rows == [["0.5", "2"]]
    assert [line.split()[1:] for line in (run / "metrics" / "kl").read_text().splitlines()] == [["3.0", "4"]]
    assert (run / "params" / "hyper.lr").read_text() == "0.0001"
    assert sorted(path.name for path in (run / "artifacts" / "samples").iterdir()) == [
        "step_00000003.png",
        "step_00000004.png",
    ]
