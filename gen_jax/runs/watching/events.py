"""What happens while a run trains, beside its rounds: rows of how often and what, in the order of happening."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from gen_jax.core.types import State


class Event(NamedTuple):
    """`do(state, step)` after every so many rounds, by any of `every` (0: never), and where the run ends."""

    every: tuple[int, ...]
    do: Callable[[State, int], object]
    at_the_end: bool = True  # after the last round, too
    when_stopped: bool = False  # and where a person or the system stops the run before


def due(events: Sequence[Event], step: int, last: bool, stopped: bool) -> list[Event]:
    """Those that happen after round `step`, in their order."""
    return [
        event
        for event in events
        if any(every > 0 and step % every == 0 for every in event.every)
        or (last and event.at_the_end)
        or (stopped and event.when_stopped)
    ]


def rounds_until(events: Sequence[Event], step: int, most: int) -> int:
    """Rounds from `step` until the next event that comes by its rhythm; `most` at most."""
    return min([most, *(every - step % every for event in events for every in event.every if every > 0)])
