"""Exact resume, as a user meets it: straight, stopped and continued, and killed with SIGKILL, the same digest."""

import json
import os
import random
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gen_jax.runs.checkpoint import open_checkpoints

ROOT = Path(__file__).parents[2]
SMALL = ["--data", "digits", "--width", "4", "--batch-size", "16", "--checkpoint-every", "8", "--log-every", "4",
         "--steps-per-call", "4", "--sample-every", "20", "--evaluate-every", "20"]  # fmt: skip


def command(script, run_dir, *more):
    return [sys.executable, f"experiments/{script}.py", "--run-dir", str(run_dir), *SMALL, *more]


def environment():
    plain = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}  # one device, as on a user's machine
    return {**plain, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}


def run(script, run_dir, *more):
    done = subprocess.run(
        command(script, run_dir, *more), cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done


def digest(run_dir):
    """As `python -m gen_jax info RUN --digest` prints it (the test of signals reads that)."""
    with open_checkpoints(run_dir, writable=False) as checkpoints:
        return checkpoints.digest()


def stream(run_dir):
    """metrics.jsonl without the clock."""
    lines = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "seconds"} for line in lines]


@pytest.mark.parametrize("script", ["dcgan", pytest.param("vae", marks=pytest.mark.science)])
def test_stopped_or_killed_the_bits_are_the_same(script, tmp_path):
    run(script, tmp_path / "straight", "--steps", "40")
    run(script, tmp_path / "stopped", "--steps", "20")
    run(script, tmp_path / "stopped", "--steps", "40")

    killed = tmp_path / "killed"
    process = subprocess.Popen(command(script, killed, "--steps", "40"), cwd=ROOT, env=environment(),
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    while not (killed / "checkpoints" / "8").exists() and process.poll() is None:
        time.sleep(0.01)
    time.sleep(random.uniform(0.0, 0.3))
    process.send_signal(signal.SIGKILL)
    process.wait()
    run(script, killed, "--steps", "40")

    wanted = digest(tmp_path / "straight")
    assert digest(tmp_path / "stopped") == wanted
    assert digest(killed) == wanted
    assert stream(tmp_path / "stopped") == stream(tmp_path / "straight") == stream(killed)


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.science)]
)
def test_a_signal_saves_and_the_run_goes_on(number, status, tmp_path):
    process = subprocess.Popen(
        command("gan", tmp_path / "run", "--steps", "1000000", "--checkpoint-every", "0", "--sample-every", "0",
                "--evaluate-every", "0"),
        cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    metrics = tmp_path / "run" / "metrics.jsonl"
    while not (metrics.exists() and metrics.stat().st_size) and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == status, errors
    assert "interrupted: saved step" in errors
    assert "Traceback" not in errors
    told = subprocess.run([sys.executable, "-m", "gen_jax", "info", str(tmp_path / "run"), "--digest"],
                          cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=300)  # fmt: skip
    assert told.stdout.strip() == digest(tmp_path / "run")


def test_a_complete_run_says_so_and_changes_nothing(tmp_path):
    run("gan", tmp_path / "run", "--steps", "8")
    before = {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()}
    done = run("gan", tmp_path / "run", "--steps", "8")
    assert "complete at step 8" in done.stdout
    assert {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()} == before


def test_a_copied_script_in_the_run_folder_continues_it(tmp_path):
    run("gan", tmp_path / "run", "--steps", "8")
    arguments = [sys.executable, str(tmp_path / "run" / "experiment.py"), "--run-dir", str(tmp_path / "run"), *SMALL]
    done = subprocess.run([*arguments, "--steps", "12"], cwd=ROOT, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {"Config", "build"} <= set(runpy.run_path(str(tmp_path / "run" / "experiment.py")))
