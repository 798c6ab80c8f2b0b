"""`launch --processes N -- SCRIPT …`: one run in several processes, on this machine or as a SLURM job."""

import inspect
import sys
from dataclasses import dataclass
from typing import Literal

import tyro

from gen_jax.core.domains import Count, Size


@dataclass(frozen=True, kw_only=True)
class Options:
    """One run in several processes: launch --processes N -- SCRIPT --steps 1000 …

    What follows -- is the command of the run, without `python`. It is the same run, to the bit on a CPU, with any
    number of processes that have as many devices between them.
    """

    processes: Size = 1
    """how many"""
    devices_each: Size | None = None
    """devices a process: CPU devices, 1 by default, or GPUs"""
    launcher: Literal["here", "slurm", "submitit-local"] = "here"
    """here: processes of this machine; slurm: tasks of a job (sbatch's options as SBATCH_* variables)"""
    nodes: Size = 1
    """of a SLURM job: machines, among which the processes are divided"""
    minutes: Count = 1440
    """of a SLURM job: its time limit; it saves and is submitted again two minutes before"""


def launch(options: tyro.conf.OmitArgPrefixes[Options]) -> None:
    """Train one run in several processes: launch --processes N -- SCRIPT …"""
    main_with(options, [])


def main(arguments: list[str]) -> None:
    """`launch` on a command line: what follows `--` is the run's."""
    from gen_jax.core.errors import UserError
    from gen_jax.runs import command

    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    if "--" not in arguments and (script := next((word for word in own if word.endswith(".py")), None)):
        raise UserError(f"launch: put -- before the script: launch --processes 2 -- {script} …")
    options = command.read(Options, own, prog="python -m gen_jax launch", description=inspect.getdoc(Options) or "")
    main_with(options, arguments[len(own) + 1 :])


def main_with(options: Options, words: list[str]) -> None:
    """Start the processes and wait for them; exits with their status."""
    from pathlib import Path

    from gen_jax.core.errors import UserError
    from gen_jax.core.lines import say
    from gen_jax.runs import launching, submitted

    if not words:
        raise UserError("launch: what to run? launch --processes 2 -- experiments/dcgan.py --steps 1000")
    if words[0] != "-m" and not Path(words[0]).is_file():
        raise UserError(f"launch: {words[0]} is no file; give a script behind --, such as experiments/dcgan.py")
    if options.launcher == "here":
        sys.exit(launching.run(words, options.processes, options.devices_each))
    local = options.launcher == "submitit-local"
    submitted.run(words, options.processes, options.nodes, options.minutes, local, say)
