"""Kills, damage and failing disks, at random, for as long as it is told: `tests/torture.py --minutes 10 --seed 0`.

Eight experiments, a study in one process and in two, and an evaluation are run once without interruption. Then, in
turns until the time is over:

- kill: a job is begun and killed at a random moment of it (from the first import to the last write), up to four times,
  by SIGKILL or a signal that asks; the same command then goes to its end.
- damage: one file of a finished or half-finished run or study is flipped, cut, emptied, deleted or added to; verbs that
  only read are tried on it, then the command that made it.
- disk: a run on a disk that is too small, then given room; or one that is read-only, then writable.

The end of each must be the uninterrupted one (state, metrics, pictures, table, values) or a line that says why not. It
counts ends that are wrong, tracebacks, and folders that are stuck: neither continued, begun anew nor explained.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
import ordeals  # noqa: E402
from ordeals import JOBS, Ended, Job  # noqa: E402

SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
ABRUPT = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM)  # Ctrl-C where the fork begins is not a command's to answer
READERS = (["info"], ["report"], ["diagnose"], ["info", "--digest"])
ORDEALS = ("kill", "damage", "kill", "damage", "disk")
HALF = 6  # steps of a half-finished run


class Verdict(NamedTuple):
    """Of one ordeal: "right", "explained", or one of FAULTS; and what was done and said."""

    kind: str
    end: str
    story: str


FAULTS = ("wrong", "traceback", "stuck")


class Torture:
    """The rooms of it: references, scratch folders, and a count of what came of each ordeal."""

    def __init__(self, scratch: Path, seed: int, jobs: tuple[Job, ...] = JOBS) -> None:
        self.scratch, self.chance, self.jobs = scratch, random.Random(seed), jobs
        self.env = ordeals.environment(scratch)
        self.seconds: dict[str, float] = {}
        self.right: dict[str, dict] = {}
        self.kills = 0
        self.verdicts: list[Verdict] = []

    def references(self) -> None:
        """Every job once, without interruption; and its experiments half-way, to damage them there."""
        for job in self.jobs:
            folder = self.folder(job.name)
            self._prepare(job, folder)
            began = time.monotonic()
            ended = self._run(job.command(folder))
            if ended.status or ended.traced:
                raise SystemExit(f"{job.name} fails without any torture:\n{ended.text}")
            self.seconds[job.name] = time.monotonic() - began
            self.right[job.name] = ordeals.outcome(folder)
            if job.name in ordeals.EXPERIMENTS:
                self._run(ordeals.experiment(job.name, HALF).command(self.folder(f"{job.name} half")))
            print(f"{job.name}: {self.seconds[job.name]:.0f} s uninterrupted", flush=True)

    def go(self, until: float, names: Sequence[str] = ORDEALS) -> None:
        """Ordeals of these names in turns until the clock says so."""
        ordealed = [getattr(self, name) for name in names]
        turn = 0
        while time.monotonic() < until:
            verdict = ordealed[turn % len(ordealed)]()
            self.verdicts.append(verdict)
            turn += 1
            if verdict.end in FAULTS:
                print(f"{verdict.end.upper()} {verdict.kind}: {verdict.story}", flush=True)

    # ---- ordeals -----------------------------------------------------------------------------------------------------
    def kill(self) -> Verdict:
        job = self.chance.choice(self.jobs)
        folder = self._new(job)
        story = job.name
        for _ in range(self.chance.randint(1, 4)):
            # Under load a start takes longer than it did alone; past its end there is nothing to kill.
            moment = self.chance.uniform(0, 1.2) * self.seconds[job.name]
            whole = self.chance.random() < 0.3
            number = self.chance.choice(SIGNALS if whole else ABRUPT)
            process = self._start(job.command(folder), whole)
            began = time.monotonic()
            until = began + moment
            while process.poll() is None and time.monotonic() < until:
                time.sleep(0.01)
            if process.poll() is not None:  # compiled programs are kept: later ones are quicker than the first
                self.seconds[job.name] = min(self.seconds[job.name], max(1.0, time.monotonic() - began))
                break
            process.send_signal(number)
            self.kills += 1
            ended = process.end()
            story += f"; {number.name} at {moment:.1f} s: {ended.status}"
            if ended.traced:
                return self._end("kill", "traceback", story, ended, folder)
            if ended.status > 0 and ended.status not in (128 + number, 2):
                return self._end("kill", "stuck", story, ended, folder)
        return self._continued("kill", job, folder, story, self._run_patiently(job, folder))

    def damage(self) -> Verdict:
        job = self.chance.choice([job for job in self.jobs if job.name != "local:2"])
        half = job.name in ordeals.EXPERIMENTS and self.chance.random() < 0.5
        folder = self.scratch / "ordeal"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.folder(f"{job.name} half" if half else job.name), folder)
        done = ordeals.damage(folder, self.chance)
        story = f"{job.name}{' half' if half else ''}: {done}"
        run = next(iter(sorted(folder.rglob("config.json"))), folder / "config.json").parent
        for words in READERS:
            ended = ordeals.here(["-m", "gen_jax", words[0], str(run), *words[1:]])
            if ended.traced or (ended.status and not ended.explained):
                return self._end("damage", "traceback" if ended.traced else "stuck", f"{story}; {words}", ended, folder)
        told = ordeals.here(job.command(folder))
        return self._continued("damage", job, folder, story, told, damaged=done.split(" ", 1)[1])

    def disk(self) -> Verdict:
        job = self.chance.choice([job for job in self.jobs if job.name in ordeals.EXPERIMENTS])
        place = self.scratch / "disk"
        folder = place / "ordeal"
        size = int(2 ** self.chance.uniform(12, 21))
        with ordeals.small_disk(place, size) as kind:
            shutil.rmtree(folder, ignore_errors=True)
            if kind == "tmpfs" and self.chance.random() < 0.3:
                ordeals.more_room(place)
                shutil.copytree(self.folder(f"{job.name} half"), folder)
                ordeals.read_only(place, True)
                ended, story = ordeals.here(job.command(folder)), f"{job.name} half on a read-only disk"
                ordeals.read_only(place, False)
            else:
                ended, story = ordeals.here(job.command(folder)), f"{job.name} on a disk of {size:,} bytes ({kind})"
            if ended.traced or (ended.status and not ended.explained):
                return self._end("disk", "traceback" if ended.traced else "stuck", story, ended, folder)
            if kind == "tmpfs":
                ordeals.more_room(place)
                return self._continued("disk", job, folder, story, ordeals.here(job.command(folder)))
        return self._continued("disk", job, folder, story, ordeals.here(job.command(folder)))

    # ---- ends --------------------------------------------------------------------------------------------------------
    def _continued(self, kind: str, job: Job, folder: Path, story: str, ended: Ended, damaged: str = "") -> Verdict:
        """What the last command came to. Damage may cost what was damaged, if that is said."""
        if ended.traced:
            return self._end(kind, "traceback", story, ended, folder)
        if ended.status:
            # Damage is explained by a line; after a kill or a full disk there is nothing that needs explaining.
            good = ended.status in (1, 2) and ended.explained and bool(damaged)
            return self._end(kind, "explained" if good else "stuck", f"{story}; {ended.status}", ended, folder)
        try:
            found, right = ordeals.outcome(folder), self.right[job.name]
        except Exception as error:  # a checkpoint that cannot be read although the command was content
            return self._end(kind, "wrong", f"{story}; {type(error).__name__}: {error}", ended, folder)
        differ = [name for name in right.keys() | found.keys() if right.get(name) != found.get(name)]
        # What a finished run is not asked to make again, or what it says that it lost.
        excused = [name for name in differ if damaged and not name.endswith(" state") and _excused(damaged, ended)]
        if "checkpoints/" in damaged and job.name not in ordeals.EXPERIMENTS:
            # Nothing trains a finished study's run again, nor one that is measured: who reads it is told.
            told = ended.text + "".join(
                ordeals.here(["-m", "gen_jax", "info", str(config.parent), "--digest"]).text
                for config in folder.rglob("config.json")
            )
            excused = differ if "damaged" in told else []
        if len(excused) < len(differ):
            return self._end(kind, "wrong", f"{story}; {', '.join(set(differ) - set(excused))}", ended, folder)
        return self._end(kind, "explained" if excused else "right", story, ended, folder)

    def _end(self, kind: str, end: str, story: str, ended: Ended, folder: Path) -> Verdict:
        if end in FAULTS:
            kept = self.scratch / "kept" / f"{len(self.verdicts)}-{end}"
            shutil.copytree(folder, kept, symlinks=True, dirs_exist_ok=True) if folder.exists() else None
            kept.mkdir(parents=True, exist_ok=True)
            (kept / "said.txt").write_text(f"{story}\n\n{ended.text}", errors="backslashreplace")
            story += f" | {' '.join(ended.text.split())[-300:]}"
        return Verdict(kind, end, story)

    # ---- helpers -----------------------------------------------------------------------------------------------------
    def folder(self, name: str) -> Path:
        """Of a reference."""
        return self.scratch / "references" / name.replace(":", "-").replace(" ", "-")

    def _new(self, job: Job) -> Path:
        folder = self.scratch / "ordeal"
        shutil.rmtree(folder, ignore_errors=True)
        self._prepare(job, folder)
        return folder

    def _prepare(self, job: Job, folder: Path) -> None:
        if job.prepared:
            shutil.copytree(self.folder(job.prepared), folder)

    def _start(self, command: list[str], whole: bool = False) -> ordeals.Whole | ordeals.Forked:
        return (ordeals.Whole if whole else ordeals.Forked)(command, self.scratch / "log.txt", self.env)

    def _run(self, command: list[str]) -> Ended:
        return self._start(command).end()

    def _run_patiently(self, job: Job, folder: Path) -> Ended:
        """To the end. Workers whose parent was killed may still be saving what they had: they are waited for."""
        until = time.monotonic() + 60
        while True:
            ended = self._run(job.command(folder))
            if "another process" not in ended.text or time.monotonic() > until:
                return ended
            time.sleep(2)

    def table(self) -> str:
        """What came of it, as Markdown."""
        ends = ("right", "explained", *FAULTS)
        count = Counter((verdict.kind, verdict.end) for verdict in self.verdicts)
        lines = [f"| ordeal | tried | {' | '.join(ends)} |", "|---|--:|" + "--:|" * len(ends)]
        for kind in ("kill", "damage", "disk"):
            row = [count[kind, end] for end in ends]
            name = f"kill ({self.kills} kills)" if kind == "kill" else kind
            lines.append(f"| {name} | {sum(row)} | {' | '.join(map(str, row))} |")
        return "\n".join(lines)


def _excused(damaged: str, ended: Ended) -> bool:
    """Whether what differs may: files that a finished run is not asked to make again, and metrics, if it said so."""
    name = Path(damaged).name
    if name == "metrics.jsonl":
        return "metrics.jsonl" in ended.text or "is complete" in ended.text or "all runs are there" in ended.text
    if f"{damaged} is " in ended.text and "failed: " in ended.text:  # a study went on without the run, and says why
        return True
    return "samples" in damaged or name == "evaluation.json" or name.startswith(("table.", "report."))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="of ordeals; the uninterrupted runs come before")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", default="", help="names with commas between; all by default")
    parser.add_argument("--ordeals", default=",".join(ORDEALS), help="in turns: kill, damage, disk")
    parser.add_argument("--keep", type=Path, help="a folder for what failed; by default it goes with the rest")
    given = parser.parse_args(arguments)
    jobs = tuple(job for job in JOBS if not given.jobs or job.name in given.jobs.split(","))
    with tempfile.TemporaryDirectory(prefix="torture-", ignore_cleanup_errors=True) as scratch:
        torture = Torture(Path(scratch), given.seed, jobs)
        os.environ.update(torture.env)
        from gen_jax.core import platform

        platform.configure()  # what is continued in this process has the flags of a process of its own
        torture.references()
        torture.go(time.monotonic() + 60 * given.minutes, given.ordeals.split(","))
        print(torture.table(), flush=True)
        if given.keep and (torture.scratch / "kept").exists():
            shutil.copytree(torture.scratch / "kept", given.keep, symlinks=True, dirs_exist_ok=True)
    return int(any(verdict.end in FAULTS for verdict in torture.verdicts))


@pytest.mark.science
def test_torture():
    """In a process of its own, for it sets up JAX as commands do. GEN_JAX_TORTURE_MINUTES: how long."""
    minutes = os.environ.get("GEN_JAX_TORTURE_MINUTES", "5")
    done = subprocess.run(
        [sys.executable, __file__, "--minutes", minutes], cwd=ordeals.ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


if __name__ == "__main__":
    sys.exit(main())
