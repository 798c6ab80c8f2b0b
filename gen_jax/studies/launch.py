"""Where a study's runs are executed: in this process, in several here, or as jobs of a SLURM cluster (submitit).

A job is some arms of a study folder, and the folder says what of them is done: a job that was killed or preempted is
simply begun again.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gen_jax.core.errors import UserError, missing_package
from gen_jax.core.lines import counted
from gen_jax.runs.exits import Interrupted
from gen_jax.runs.signals import Signals
from gen_jax.runs.submitted import SITTINGS
from gen_jax.studies import execute, plan
from gen_jax.studies.program import Sources
from gen_jax.studies.study import Study, open_study, status

HOW = "use here, local:N (N processes), slurm or submitit-local"


class Launcher(NamedTuple):
    """`kind`: here, local, slurm or submitit-local. `processes`: of local."""

    kind: str
    processes: int = 1


class Job(NamedTuple):
    """Arms of a study, by name, for one process."""

    folder: str
    arms: tuple[str, ...]
    mode: execute.Mode
    memory_gib: float | None
    trusted: bool = False  # its script is executed, whoever wrote it: who began the study has looked


def parse(text: str) -> Launcher:
    """ "here", "local:4", "slurm", "submitit-local". Raises UserError for another, or where submitit is missing."""
    kind, colon, number = text.partition(":")
    if kind == "local" and number.isdecimal() and int(number) > 0:
        return Launcher(kind, int(number))
    if colon or kind not in ("here", "slurm", "submitit-local"):
        raise UserError(f"--launcher {text}: {HOW}")
    if kind != "here":
        _submitit()
    return Launcher(kind)


def run(
    study: Study,
    launcher: Launcher,
    mode: execute.Mode,
    memory_gib: float | None,
    say: Callable[[str], None],
    sources: Sources | None = None,
) -> None:
    """Bring the study's open runs to their end. Raises Interrupted on a signal, UserError where a job broke down.
    `sources`: data that are loaded already, for what is done here."""
    arms = [arm for arm in study.arms if any(status(study, arm, seed) == "open" for seed in study.seeds)]
    if not arms:
        say("all runs are there")
        return
    if launcher.kind == "here":
        tally = execute.execute(study, arms, mode, memory_gib, say, sources)
        say(
            f"{counted(tally.runs['complete'], 'run')} finished, {tally.runs['failed']} failed; "
            f"{counted(tally.programs, 'program')} compiled in {tally.compile_seconds:.1f} s"
        )
        return
    count = launcher.processes if launcher.kind == "local" else 1
    made = [Job(str(study.folder.resolve()), names, mode, memory_gib, trusted=True) for names in split(arms, count)]
    (_run_local if launcher.kind == "local" else _run_submitit)(made, launcher, say)


def split(arms: Sequence[plan.Arm], least: int) -> list[tuple[str, ...]]:
    """Names of arms by job: one job a structure, and structures divided while there are fewer jobs than `least`."""
    jobs = [tuple(arm.name for arm in group) for group in plan.groups(arms)]
    while len(jobs) < least and max(map(len, jobs)) > 1:
        jobs.sort(key=len)
        largest = jobs.pop()
        jobs += [largest[: len(largest) // 2], largest[len(largest) // 2 :]]
    return jobs


def work(job: Job, say: Callable[[str], None] = print) -> None:
    """What a process of its own does: the open runs of some arms."""
    from gen_jax.core.platform import configure

    study = open_study(Path(job.folder), job.trusted)
    configure(study.base.deterministic, study.script)
    execute.execute(study, [study.arm(name) for name in job.arms], job.mode, job.memory_gib, say)


def _run_local(jobs: Sequence[Job], launcher: Launcher, say: Callable[[str], None]) -> None:
    """As many processes at a time as asked for; their lines are in STUDY/logs. A signal reaches them through us."""
    waiting = list(enumerate(jobs))
    active: dict[int, subprocess.Popen] = {}
    broken: list[int] = []
    logs = Path(jobs[0].folder) / "logs"
    logs.mkdir(exist_ok=True)
    try:
        with Signals() as signals:
            while waiting or active:
                while waiting and len(active) < launcher.processes:
                    number, job = waiting.pop(0)
                    say(f"job {number}: {', '.join(job.arms)} (see {logs / f'{number}.txt'})")
                    with (logs / f"{number}.txt").open("w") as file:
                        active[number] = subprocess.Popen(
                            _command(job), stdout=file, stderr=subprocess.STDOUT, env=_environment()
                        )
                number = _next_end(active, signals)
                if active.pop(number).returncode:
                    broken.append(number)
    except BaseException:
        for process in active.values():
            process.terminate()  # each saves a checkpoint
        for process in active.values():
            process.wait()
        raise
    if broken:
        last = (logs / f"{broken[0]}.txt").read_text(errors="replace").strip().splitlines()[-1:]
        raise UserError(f"{len(broken)} jobs broke down, the first with: {' '.join(last)}; the same command continues")


def _command(job: Job) -> list[str]:
    command = [sys.executable, "-m", "gen_jax.studies.worker", job.folder, "--mode", job.mode, "--trust"]
    command += ["--memory-gib", str(job.memory_gib)] if job.memory_gib is not None else []
    return [*command, "--parent", str(os.getpid()), "--arms", *job.arms]  # arms last: there are any number


def _next_end(active: dict[int, subprocess.Popen], signals: Signals) -> int:
    """The number of a process that has ended, once there is one. Raises Interrupted on a signal."""
    while signals.received is None:
        for number, process in active.items():
            if process.poll() is not None:
                return number
        time.sleep(0.1)
    raise Interrupted("the jobs have saved what they had; the same command continues", signals.status)


def _environment() -> dict[str, str]:
    """Ours, with gen_jax to be found wherever it was found here."""
    import gen_jax

    root = str(Path(gen_jax.__file__).parents[1])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))}


# ---- submitit ----------------------------------------------------------------------------------------------------


class Requeued:
    """A job that submitit may preempt: it is submitted again as it is, and the folder says what is left of it."""

    def __call__(self, job: Job) -> None:
        work(job)

    def checkpoint(self, job: Job) -> Any:
        return _submitit().helpers.DelayedSubmission(Requeued(), job)


def _run_submitit(jobs: Sequence[Job], launcher: Launcher, say: Callable[[str], None]) -> None:
    """A job an arm group, on SLURM or (to try it out) in processes here; waits for all. Partition, time and GPUs come
    from the environment as SBATCH_* variables, which sbatch reads by itself.
    """
    submitit = _submitit()
    cluster = "local" if launcher.kind == "submitit-local" else None
    executor = submitit.AutoExecutor(Path(jobs[0].folder) / "logs", cluster=cluster, slurm_max_num_timeout=SITTINGS)
    executor.update_parameters(name="gen_jax", timeout_min=int(os.environ.get("GEN_JAX_TIMEOUT_MIN", "1440")))
    if cluster == "local":
        os.environ["PYTHONPATH"] = _environment()["PYTHONPATH"]
    elif executor.cluster != "slurm":
        raise UserError("--launcher slurm: there is no sbatch here; submit from a SLURM machine, or use local:N")
    submitted = [executor.submit(Requeued(), job) for job in jobs]
    for job, handle in zip(jobs, submitted, strict=True):
        say(f"job {handle.job_id}: {', '.join(job.arms)}")
    for handle in submitted:
        try:
            handle.result()
        except (submitit.core.utils.FailedJobError, submitit.core.utils.UncompletedJobError) as error:
            lines = str(error).strip().splitlines()
            raise UserError(f"job {handle.job_id} broke down: {lines[-1]}; the same command continues") from None


def _submitit() -> Any:
    try:
        import submitit  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError:
        raise missing_package("submitit", "pip install submitit", "--launcher slurm") from None
    return submitit
