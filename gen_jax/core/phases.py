"""What a round is made of: phases in order, each with its players, its objective, its data and its way of learning."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from gen_jax.core.gradients import Gradient, of_the_mean
from gen_jax.core.types import Context, Objective, Players, Tree


class Phase(NamedTuple):
    """Who moves, on which objective. Phases of a round run in order; each sees its predecessors' results."""

    players: tuple[str, ...]
    objective: Objective
    repeats: int = 1  # consecutive optimizer steps, each on its own minibatch (n_critic)
    fresh: bool = False  # True: minibatches of its own; False: the stream's minibatches, shared with the other phases
    draws: str = "train"  # the stream its minibatches come from: a split of the data source
    gradient: Gradient = of_the_mean


class SharedForward(NamedTuple):
    """A forward pass that several phases use (the fake batch): computed once a round, pulled back once.

    `function(params, context) -> (outputs, stats)` runs before the first phase, on the first minibatch of "train". A
    phase that moves one of `players` is differentiated through `outputs`; for any other phase they are constants.
    """

    players: tuple[str, ...]
    function: Callable[[Players, Context], tuple[Tree, Players]]


def offsets(phases: Sequence[Phase]) -> tuple[list[int], dict[str, int]]:
    """(where each phase's minibatches start in its stream, minibatches a round takes of each stream).

    Phases that share a stream's minibatches start at 0; fresh ones follow one another behind those.
    """
    ends = {phase.draws: 0 for phase in phases}
    for phase in phases:
        if not phase.fresh:
            ends[phase.draws] = max(ends[phase.draws], phase.repeats)
    starts = []
    for phase in phases:
        starts.append(ends[phase.draws] if phase.fresh else 0)
        ends[phase.draws] += phase.repeats if phase.fresh else 0
    return starts, ends
