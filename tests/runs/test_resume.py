"""Exact resume, as a user meets it: straight, stopped and continued, and killed with SIGKILL, the same digest."""

import json
import random
import runpy
import signal
import time

import commands
import pytest

from gen_jax.runs.checkpoint import open_checkpoints

SMALL = ["--data", "digits", "--width", "4", "--batch-size", "16", "--checkpoint-every", "8", "--log-every", "4",
         "--steps-per-call", "4", "--sample-every", "20", "--evaluate-every", "20"]  # fmt: skip


def command(script, run_dir, *more):
    depth = ["--depth", "1"] if script == "gan" else []
    return f"experiments/{script}.py", "--run-dir", str(run_dir), *SMALL, *depth, *more


def run(script, run_dir, *more):
    done = commands.run(*command(script, run_dir, *more))
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
    process = commands.start(*command(script, killed, "--steps", "40"))
    commands.wait_for(killed / "checkpoints" / "8", process)
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
    process = commands.start(
        *command("gan", tmp_path / "run", "--steps", "1000000", "--checkpoint-every", "0", "--sample-every", "0",
                 "--evaluate-every", "0"),
    )  # fmt: skip
    metrics = tmp_path / "run" / "metrics.jsonl"
    while not (metrics.exists() and metrics.stat().st_size) and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(number)
    ended = process.wait()
    assert ended.returncode == status, ended.stderr
    assert "interrupted: saved step" in ended.stderr
    assert "Traceback" not in ended.stderr
    told = commands.run("-m", "gen_jax", "info", tmp_path / "run", "--digest")
    assert told.stdout.strip() == digest(tmp_path / "run")


def test_a_complete_run_says_so_and_changes_nothing(tmp_path):
    run("gan", tmp_path / "run", "--steps", "8")
    before = {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()}
    done = run("gan", tmp_path / "run", "--steps", "8")
    assert "complete at step 8" in done.stdout
    assert {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()} == before


def test_a_copied_script_in_the_run_folder_continues_it(tmp_path):
    run("gan", tmp_path / "run", "--steps", "8")
    _, *flags = command("gan", tmp_path / "run", "--steps", "12")
    done = commands.run(tmp_path / "run" / "experiment.py", *flags)
    assert done.returncode == 0, done.stderr
    assert {"Config", "build"} <= set(runpy.run_path(str(tmp_path / "run" / "experiment.py")))
