"""How a command line and the environment say that several processes train together. No JAX at import."""

import os
import sys
from typing import NamedTuple

from gen_jax.core import lines
from gen_jax.core.errors import UserError

COORDINATOR, PROCESSES, PROCESS = "GEN_JAX_COORDINATOR", "GEN_JAX_PROCESSES", "GEN_JAX_PROCESS"
LAUNCHED = "GEN_JAX_LAUNCHED_BY"  # the process id of `launch`, which tells of process 0 if that cannot
RANKS = ("SLURM_PROCID", "OMPI_COMM_WORLD_RANK")  # by which a process knows its number before it has joined


class Asked(NamedTuple):
    """How to start: by jax's own detection, or at a coordinator."""

    auto: bool = False
    coordinator: str = ""
    processes: int | None = None
    process: int | None = None


def asked(auto: bool, at: str | None, number: int | None, own: int | None) -> Asked | None:
    """What a command line and the environment say of starting; None for a process alone. Raises UserError for halves.

    The environment (GEN_JAX_COORDINATOR, GEN_JAX_PROCESSES, GEN_JAX_PROCESS) is `launch`'s way; the command line goes
    before.
    """
    if auto and (at or number is not None or own is not None):
        raise UserError("--distributed auto finds out by itself; give it, or --coordinator, --processes and --process")
    if not auto:
        at = at or os.environ.get(COORDINATOR)
        number = _whole(PROCESSES) if number is None else number
        own = _whole(PROCESS) if own is None else own
    if not auto and at is None and number is None and own is None:
        return None
    if not auto:
        if at is None or number is None or own is None:
            raise UserError(
                "several processes need --coordinator HOST:PORT, --processes N and --process I (0 to N - 1) together; "
                "`python -m gen_jax launch --processes N -- SCRIPT` gives them on one machine"
            )
        host, _, port = at.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise UserError(f"--coordinator {at}: give HOST:PORT, the address of process 0, such as 10.0.0.1:4321")
        if number < 1 or not 0 <= own < number:
            raise UserError(f"--process {own} of --processes {number}: give 0 to {max(number - 1, 0)}")
    return Asked(auto, at or "", number, own)


def _whole(name: str) -> int | None:
    text = os.environ.get(name)
    if text is None:
        return None
    if not text.isdecimal():
        raise UserError(f"{name}={text}: give a whole number")
    return int(text)


def hush_early() -> None:
    """Of processes that are told the same, one tells it: the first, where the others know already that they are not."""
    found = [os.environ.get(name, "") for name in (PROCESS, *RANKS)]
    number = next((text for text in found if text.isdecimal()), "0")
    for flag, value in zip(sys.argv, sys.argv[1:], strict=False):
        number = value if flag == "--process" and value.isdecimal() else number
    if int(number) > 0:
        lines.mute()
