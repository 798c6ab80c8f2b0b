"""`python -m gen_jax.studies.worker STUDY --arms NAME …`: a process that works on some arms of a study."""

from pathlib import Path
from typing import Literal

import tyro

from gen_jax.runs.signals import end_with


def worker(
    folder: tyro.conf.Positional[Path],
    arms: tuple[str, ...],
    mode: Literal["auto", "sequential", "batched"] = "auto",
    memory_gib: float | None = None,
    trust: bool = False,
    parent: int | None = None,
) -> None:
    """Bring the open runs of these arms to their end.

    Args:
        folder: the study
        arms: names of arms
        mode: one run after another, or many as one vmapped program
        memory_gib: what a batch may take
        trust: execute the study's script also where it is not one that you ran here
        parent: end, after a checkpoint, when this process is not the parent any more
    """
    if parent is not None:
        end_with(parent)
    from gen_jax.studies.launch import Job, work

    work(Job(str(folder), arms, mode, memory_gib, trust), lambda line: print(line, flush=True))


if __name__ == "__main__":
    from gen_jax.runs.exits import exit_with

    with exit_with():
        tyro.cli(worker)
