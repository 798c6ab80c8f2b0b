"""How often a run is looked at may change when it goes on: the state stays as it is, and no line is missed."""

import pytest

import gen_jax
from gen_jax.runs import checkpoint, log
from gen_jax.runs.opened import open_state

TINY = {"data": "digits", "batch_size": 16, "width": 4, "depth": 1, "checkpoint_every": 0}
OFTEN = {"log_every": 2, "sample_every": 3, "evaluate_every": 2}
SELDOM = {"log_every": 5, "sample_every": 0, "evaluate_every": 4}


@pytest.mark.science
def test_a_run_goes_on_in_another_rhythm(tmp_path, capsys):
    gen_jax.train("experiments/gan.py", TINY | OFTEN | {"steps": 4}, tmp_path / "changed")
    gen_jax.train("experiments/gan.py", TINY | SELDOM | {"steps": 10}, tmp_path / "changed")
    gen_jax.train("experiments/gan.py", TINY | SELDOM | {"steps": 12}, tmp_path / "changed")
    gen_jax.train("experiments/gan.py", TINY | SELDOM | {"steps": 12}, tmp_path / "straight")
    states = [open_state(tmp_path / name) for name in ("changed", "straight")]
    assert len({checkpoint.digest(each.state) for each in states}) == 1
    lines = [(line["step"], "loss/generator" in line) for line in log.read_lines(tmp_path / "changed")]
    assert lines == [
        (2, True), (2, False), (4, True), (4, False),
        (5, True), (8, False), (10, True), (10, False),
        (12, True), (12, False),
    ]  # fmt: skip
    assert "lines of" not in capsys.readouterr().err
