"""One run as a job of a cluster, by submitit: a task a process, submitted again when it is preempted or runs out of
time. The run folder says what is left of it."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gen_jax.core.errors import SystemFault, UserError, missing_package
from gen_jax.core.starting import COORDINATOR, PROCESS, PROCESSES

AHEAD = 120  # seconds before a job's end in which it is told: time for a call and a checkpoint
LOGS = Path("runs") / "logs"
SITTINGS = 1000  # that a job may run to its time limit before it is given up; submitit gives it up after three


class Task:
    """What one task runs: the command, as it was given, in a process of its own."""

    def __init__(self, command: Sequence[str]) -> None:
        self.command, self._child = list(command), None

    def __call__(self) -> None:
        self._child = subprocess.Popen([sys.executable, *self.command, *self._told()], env=self._environment())
        status = self._child.wait()
        self._child = None
        if 0 < status < 128:  # from 128 on it was stopped, and has saved itself
            raise SystemFault(f"process ended with status {status}; the job's log says why")

    def checkpoint(self) -> Any:
        """submitit is about to stop the job: the run saves itself, and the same task is submitted again."""
        if self._child is not None:
            self._child.terminate()
            with contextlib.suppress(ChildProcessError):
                # Not `wait`, which this interrupts: it holds a lock that it would wait for.
                os.waitpid(self._child.pid, 0)
        return submitit().helpers.DelayedSubmission(Task(self.command))

    def _told(self) -> list[str]:
        environment = submitit().JobEnvironment()
        return ["--distributed", "auto"] if environment.cluster == "slurm" and environment.num_tasks > 1 else []

    def _environment(self) -> dict[str, str]:
        environment = submitit().JobEnvironment()
        if environment.cluster != "local" or environment.num_tasks == 1:
            return dict(os.environ)
        port = 20000 + int(environment.job_id) % 20000
        rank, tasks = environment.global_rank, environment.num_tasks
        return {**os.environ, COORDINATOR: f"127.0.0.1:{port}", PROCESSES: str(tasks), PROCESS: str(rank)}


def run(
    command: Sequence[str], processes: int, nodes: int, minutes: int, local: bool, say: Callable[[str], None]
) -> None:
    """Submit the command and wait for its end. Partition, account and GPUs come from the environment as SBATCH_*
    variables, which sbatch reads by itself.

    Raises UserError where there is no sbatch, or where processes cannot be divided among nodes; SystemFault where the
    job broke down.
    """
    if processes % nodes:
        raise UserError(f"--processes {processes} cannot be divided among --nodes {nodes}; give a multiple")
    executor = submitit().AutoExecutor(
        folder=LOGS / "%j", cluster="local" if local else None, slurm_max_num_timeout=SITTINGS
    )
    if not local and executor.cluster != "slurm":
        raise UserError("--launcher slurm: there is no sbatch here; submit from a SLURM machine, or leave it out")
    executor.update_parameters(name="gen_jax", timeout_min=minutes, nodes=nodes, tasks_per_node=processes // nodes)
    if not local:
        executor.update_parameters(slurm_signal_delay_s=AHEAD, slurm_additional_parameters={"requeue": True})
    job = executor.submit(Task(command))
    say(f"job {job.job_id}: {' '.join(command)} (logs in {LOGS / job.job_id})")
    try:
        job.results()
    except (submitit().core.utils.FailedJobError, submitit().core.utils.UncompletedJobError) as error:
        last = str(error).strip().splitlines()[-1:]
        raise SystemFault(f"job {job.job_id} broke down: {' '.join(last)}; the same command continues") from None


def submitit() -> Any:
    """The package. Raises UserError where it is missing."""
    try:
        import submitit as package  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError:
        raise missing_package("submitit", "pip install submitit", "--launcher slurm") from None
    return package
