"""Runs that are broken on purpose are named by their own detector, and a healthy one by none."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gen_jax.runs.diagnosis import RULES

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.science


def findings(script, run_dir, *flags):
    command = [sys.executable, f"experiments/{script}", "--run-dir", str(run_dir), *flags]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode in (0, 1), done.stderr
    return [found["rule"] for found in json.loads((run_dir / "diagnosis.json").read_text())["findings"]], done.stderr


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_broken_run_is_named_while_it_trains(rule, tmp_path):
    found, said = findings(f"failures/{rule.name}.py", tmp_path / "run")
    assert rule.name in found
    assert f"diagnosis: {rule.title}" in said


@pytest.mark.parametrize(
    ("script", "flags"),
    [("dcgan.py", ["--steps", "2000", "--width", "32"]), ("vae.py", ["--steps", "1500", "--width", "16"])],
)
def test_a_healthy_run_is_left_in_peace(script, flags, tmp_path):
    found, said = findings(script, tmp_path / "run", *flags)
    assert found == []
    assert "diagnosis:" not in said
