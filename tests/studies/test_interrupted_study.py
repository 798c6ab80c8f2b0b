"""Studies as a user meets them: killed and continued, in several processes, and through submitit."""

import json
import os
import re
import signal
import subprocess
import sys

import commands
import pytest
from commands import ROOT, one_device

from gen_jax.studies.launch import parse, split

SMALL = ["--data", "digits", "--width", "4", "--depth", "1", "--batch-size", "16", "--steps", "24", "--log-every", "4",
         "--steps-per-call", "4", "--checkpoint-every", "8", "--sample-every", "0",
         "--evaluate-every", "12"]  # fmt: skip
GRID = ["--grid", "loss=hinge,minimax", "--seeds", "2"]
TABLES = ("table.html", "table.md", "table.tex", "table.csv", "report.html")


def command(folder, *more):
    return "-m", "gen_jax", "ablate", "experiments/gan.py", "--study-dir", str(folder), *GRID, *SMALL, *more


def run(folder, *more):
    done = commands.run(*command(folder, *more))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """The tables of the study that was never interrupted."""
    folder = tmp_path_factory.mktemp("straight") / "study"
    run(folder)
    return {name: (folder / name).read_bytes() for name in TABLES}


def tables(folder):
    return {name: (folder / name).read_bytes() for name in TABLES}


def test_killed_and_interrupted_the_table_is_byte_for_byte_the_same(straight, tmp_path):
    folder = tmp_path / "study"
    # In the middle of the second run, between two of its checkpoints.
    process = commands.start(*command(folder))
    commands.wait_for(folder / "runs" / "loss=hinge" / "seed1" / "checkpoints" / "8", process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    # Then, after it was continued, in the middle of another one by SIGTERM.
    process = commands.start(*command(folder))
    commands.wait_for(folder / "runs" / "loss=minimax" / "seed0" / "metrics.jsonl", process)
    process.send_signal(signal.SIGTERM)
    done = process.wait()
    assert done.returncode == 143, done.stderr
    assert "the same command continues" in done.stderr
    out = run(folder)
    assert "4 runs finished" not in out  # those that were there have not been run again
    assert tables(folder) == straight


COMPILING = """
import os, signal, sys, threading, time
import numpy as np
from gen_jax.studies import batched, program
from gen_jax.verbs import ablate

def forever(*_):  # a compiler, which keeps Python from looking
    threading.Thread(target=lambda: (time.sleep(0.5), os.kill(os.getpid(), signal.SIGINT)), daemon=True).start()
    np.linalg.svd(np.ones((6000, 6000)))

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has what it starts in the background ignore it
place = {"program": program, "batched": batched}[sys.argv[1]]
setattr(place, sys.argv[2], forever)
ablate.main(sys.argv[3:])
"""


@pytest.mark.parametrize(
    ("mode", "place", "begun"),
    # A batch is compiled before its runs begin, to see how many fit.
    [("sequential", ("program", "compile_steps"), True), ("batched", ("batched", "_compiled"), False)],
)
def test_ctrl_c_is_answered_while_a_program_of_a_study_is_compiled(mode, place, begun, tmp_path):
    folder, batch = tmp_path / "study", ["--mode", mode, "--devices", "1"]
    words = [sys.executable, "-c", COMPILING, *place, *command(folder, *batch)[3:]]
    done = subprocess.run(words, cwd=ROOT, env=one_device(), capture_output=True, text=True)
    assert done.returncode == 130, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last == f"interrupted: the runs finished so far are in {folder}; the same command continues"
    first = folder / "runs" / "loss=hinge" / "seed0" / "manifest.json"
    assert first.exists() == begun
    if begun:
        record = json.loads(first.read_text())
        assert (record["status"], record["reason"]) == ("stopped", "before a round was done")
    assert "4 runs finished, 0 failed" in run(folder, *batch)


@pytest.mark.science
def test_local_processes_give_the_same_table(straight, tmp_path):
    out = run(tmp_path / "study", "--launcher", "local:2")
    assert "job 0" in out
    assert "job 1" in out
    assert tables(tmp_path / "study") == straight


@pytest.mark.science
def test_submitit_jobs_give_the_same_table(straight, tmp_path):
    pytest.importorskip("submitit", reason="submitit is not installed: pip install submitit")
    out = run(tmp_path / "study", "--launcher", "submitit-local")
    assert out.count("job ") == 2
    assert tables(tmp_path / "study") == straight


@pytest.mark.science
def test_a_submitit_job_that_is_preempted_in_the_middle_gives_the_same_table(straight, tmp_path):
    """As a cluster does it: USR2, upon which submitit ends the task and begins it again."""
    pytest.importorskip("submitit", reason="submitit is not installed: pip install submitit")
    folder = tmp_path / "study"
    process = commands.start(*command(folder, "--launcher", "submitit-local"))
    second = folder / "runs" / "loss=hinge" / "seed1" / "metrics.jsonl"
    commands.wait_for(second, process)
    jobs = {path.name.partition("_")[0] for path in (folder / "logs").glob("*_0_log.err")}
    for job in jobs:  # whose number is that of the process that started its tasks
        for number in subprocess.run(["pgrep", "-P", job], capture_output=True, text=True).stdout.split():
            os.kill(int(number), signal.SIGUSR2)
    done = process.wait()
    assert done.returncode == 0, done.stdout + done.stderr
    assert any("Requeued job" in path.read_text() for path in (folder / "logs").glob("*_0_log.*"))
    assert tables(folder) == straight


def test_a_missing_submitit_is_named_with_its_command(tmp_path):
    blocker = tmp_path / "blocked"
    blocker.mkdir()
    (blocker / "submitit.py").write_text("raise ModuleNotFoundError('submitit')")
    inside = os.pathsep.join([str(blocker), str(ROOT)])
    done = subprocess.run([sys.executable, *command(tmp_path / "study", "--launcher", "slurm")], cwd=ROOT,
                          env=one_device(PYTHONPATH=inside), capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert re.fullmatch(
        "error: --launcher slurm needs the package submitit, which is not installed; "
        r"install it with: \S+ -m pip install submitit", line,
    )  # fmt: skip
    assert not (tmp_path / "study").exists()


def test_jobs_are_structures_and_are_split_for_more_processes():
    class Fake:
        def __init__(self, name, structure):
            self.name, self.structure = name, structure

    arms = [Fake("a1", "a"), Fake("b1", "b"), Fake("a2", "a"), Fake("a3", "a")]
    assert split(arms, 1) == [("a1", "a2", "a3"), ("b1",)]
    assert sorted(split(arms, 3)) == [("a1",), ("a2", "a3"), ("b1",)]
    assert len(split(arms, 99)) == 4
    assert parse("local:3") == ("local", 3)
