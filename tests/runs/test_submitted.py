"""A run as a job of a cluster: told of its end it saves, is submitted again, and ends as the uninterrupted one does."""

import contextlib
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import crowd
import pytest
import toys
from commands import one_device

from gen_jax.runs import checkpoint, submitted


def tasks(job):
    """The processes of a job of submitit's local executor: its number is that of the process that started them."""
    found = subprocess.run(["pgrep", "-P", job], capture_output=True, text=True)
    return [int(number) for number in found.stdout.split()]


def digest(run):
    with checkpoint.open_checkpoints(run, writable=False) as checkpoints:
        return checkpoints.digest()


@pytest.mark.science
def test_a_job_that_is_preempted_in_the_middle_is_the_same_run(tmp_path):
    """Two tasks, both told, as a cluster does."""
    pytest.importorskip("submitit", reason="submitit is not installed: pip install submitit")
    straight, bench = toys.make(tmp_path / "straight"), toys.make(tmp_path / "toy")
    asked = {"steps": 3000, "steps_per_call": 5, "checkpoint_every": 0, "log_every": 20}
    assert crowd.alone(crowd.words(straight, **asked), 2).returncode == 0
    command = [sys.executable, "-m", "gen_jax", "launch", "--launcher", "submitit-local", "--processes", "2", "--"]
    process = subprocess.Popen(
        [*command, *crowd.words(bench, **asked)],
        cwd=tmp_path,
        env=one_device(),
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        crowd.wait_for(lambda: crowd.logged(bench.run) >= 100 or process.poll() is not None)
        (job,) = [name for name in os.listdir(tmp_path / submitted.LOGS) if name.isdecimal()]
        for number in tasks(job):
            os.kill(number, signal.SIGUSR2)
        said = process.communicate(timeout=240)
    finally:
        with contextlib.suppress(ProcessLookupError):  # of a job that failed, all
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, said
    logs = tmp_path / submitted.LOGS / job
    told = (logs / f"{job}_0_log.err").read_text()
    (saved,) = [line for line in told.splitlines() if line.startswith("interrupted: saved step ")]
    assert 100 <= int(saved.split()[3]) < asked["steps"]
    assert "interrupted" not in (logs / f"{job}_1_log.err").read_text()
    assert digest(bench.run) == digest(straight.run)


def test_a_job_that_is_told_of_its_end_stops_its_run_first_though_it_waits_for_it(tmp_path, monkeypatch):
    """The handler of submitit's signal interrupts the wait for the child."""
    said, script = tmp_path / "said", tmp_path / "script.py"
    script.write_text(
        "import pathlib, signal, sys, time\n"
        f"signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path({str(said)!r}).write_text('saved'), sys.exit(143)))\n"
        f"pathlib.Path({str(said)!r}).write_text('running')\n"
        "time.sleep(60)\n"
    )
    environment = SimpleNamespace(cluster="slurm", num_tasks=1)
    helpers = SimpleNamespace(DelayedSubmission=lambda task: task)
    monkeypatch.setattr(
        submitted, "submitit", lambda: SimpleNamespace(JobEnvironment=lambda: environment, helpers=helpers)
    )
    task, again = submitted.Task([str(script)]), []

    def told(number, frame):
        if not said.exists() or said.read_text() != "running":
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            return
        again.append(task.checkpoint())

    before = signal.signal(signal.SIGALRM, told)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        task()
    finally:
        signal.signal(signal.SIGALRM, before)
    assert said.read_text() == "saved"
    assert [each.command for each in again] == [[str(script)]]
