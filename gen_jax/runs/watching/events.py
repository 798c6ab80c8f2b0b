"""What happens while a run trains, beside its rounds: rows of how often and what, in the order of happening."""

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

from gen_jax.core import processes, turns
from gen_jax.core.errors import UserError
from gen_jax.core.lines import say
from gen_jax.core.types import State
from gen_jax.runs.exits import TRACEBACKS


class Event(NamedTuple):
    """`do(state, step)` after every so many rounds, by any of `every` (0: never), and where the run ends."""

    every: tuple[int, ...]
    do: Callable[[State, int], object]
    at_the_end: bool = True  # after the last round, too
    when_stopped: bool = False  # and where a person or the system stops the run before
    looks: str = ""  # what it is called, where it only looks: that it fails costs nothing but what it would have seen
    everywhere: bool = False  # every process of the run takes part in it; else process 0 does it alone
    keeps: bool = False  # `do` is given the state as it is laid out, not the view of it that this process has


def due(events: Sequence[Event], step: int, last: bool, stopped: bool) -> list[Event]:
    """Those that happen after round `step`, in their order."""
    return [
        event
        for event in events
        if any(every > 0 and step % every == 0 for every in event.every)
        or (last and event.at_the_end)
        or (stopped and event.when_stopped)
    ]


def happen(events: Sequence[Event], view: State, step: int, state: State | None = None) -> None:
    """Do them in their order. Where one fails the others happen nevertheless, so that no measure costs a checkpoint.

    `state`: as it is laid out, where the view of it is another.

    What only looks and fails is told, and the run goes on: also where it fails on one of several processes, since all
    hear of it. Everything else is raised, after the last: what a person has to mend (UserError, such as a full disk),
    and with GEN_JAX_TRACEBACK whatever it is.
    """
    failed: Exception | None = None
    for event in events:
        if not event.everywhere and not processes.leader():
            continue
        error: Exception | None = None
        try:
            event.do(view if state is None or not event.keeps else state, step)
        except Exception as own:
            error = own
        if event.looks and event.everywhere:
            error = turns.ended(error)
        if error is None:
            continue
        if not event.looks or isinstance(error, UserError) or os.environ.get(TRACEBACKS):
            failed = failed or error
            continue
        say(
            f"step {step}: {event.looks} failed ({turns.told(error)}); the run goes on without it "
            f"({TRACEBACKS}=1 stops there, with a traceback)"
        )
    if failed is not None:
        raise failed


def rounds_until(events: Sequence[Event], step: int, most: int) -> int:
    """Rounds from `step` until the next event that comes by its rhythm; `most` at most."""
    return min([most, *(every - step % every for event in events for every in event.every if every > 0)])
