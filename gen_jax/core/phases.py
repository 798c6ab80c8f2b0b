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
    beside: tuple[str, ...] = ()  # further streams, of which each step sees a minibatch too (`Context.beside`)
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

    Phases that share a stream's minibatches start at 0; fresh ones follow one another behind those. What phases see
    beside starts at 0 in its own stream.
    """
    ends = {stream: 0 for phase in phases for stream in (phase.draws, *phase.beside)}
    for phase in phases:
        for stream in (*(() if phase.fresh else (phase.draws,)), *phase.beside):
            ends[stream] = max(ends[stream], phase.repeats)
    starts = []
    for phase in phases:
        starts.append(ends[phase.draws] if phase.fresh else 0)
        ends[phase.draws] += phase.repeats if phase.fresh else 0
    return starts, ends
