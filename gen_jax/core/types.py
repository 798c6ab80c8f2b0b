"""The contract that every model fulfils and every tool relies on: players, phases, state, algorithm.

A model is a set of *players* (named Linen modules with their own parameters, statistics and optimizer) and an ordered
list of *phases* (who moves, on which objective, how often). Nothing else in the project knows which model it runs.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import jax
from flax import struct

Array: TypeAlias = jax.Array
Tree: TypeAlias = Any  # a pytree of arrays
Batch: TypeAlias = Mapping[str, Array]  # "image" float32 [B, H, W, C] in [-1, 1] (or [B, D] points); "label" int32 [B]
Players: TypeAlias = Mapping[str, Tree]  # one subtree a player
Hyper: TypeAlias = Mapping[str, Array]  # traced float32 scalars: everything an ablation may vary


class Context(NamedTuple):
    """What an objective sees beside the parameters that it is differentiated in."""

    stats: Players  # batch statistics, spectral-norm vectors, ...: the non-parameter collections of every player
    hyper: Hyper
    aux: Mapping[str, Tree]  # what controllers carry: ADA probability, GECO multiplier, moving averages
    ema: Players  # averaged parameters of the players that have an average
    step: Array  # int32 scalar: rounds finished before this one
    batch: Batch
    key: Array  # own to this step, phase and repeat; fold in a purpose with `keys.named` before use
    opt: Players  # optimizer states: only objectives that look ahead (unrolling) need them
    shared: Tree = None  # what `SharedForward` computed once for the whole round


class Aux(NamedTuple):
    """What an objective returns beside its loss. Metrics are scalars: means over this instance's rows."""

    stats: Players = {}  # new statistics of the players whose statistics changed
    metrics: Mapping[str, Array] = {}
    aux: Mapping[str, Tree] = {}  # new values of the controllers that changed


Objective: TypeAlias = Callable[[Players, Context], tuple[Array, Aux]]  # the loss is a mean over this instance's rows


class Phase(NamedTuple):
    """Who moves, on which objective. Phases of a round run in order; each sees its predecessors' results."""

    players: tuple[str, ...]
    objective: Objective
    repeats: int = 1  # consecutive optimizer steps, each on its own minibatch (n_critic)
    fresh: bool = False  # True: minibatches of its own; False: the round's minibatches, shared with the other phases


class SharedForward(NamedTuple):
    """A forward pass that several phases use (the fake batch): computed once a round, pulled back once.

    `function(params, context) -> (outputs, stats)` runs before the first phase. A phase that moves one of `players`
    is differentiated through `outputs`; for any other phase they are constants.
    """

    players: tuple[str, ...]
    function: Callable[[Players, Context], tuple[Tree, Players]]


class State(struct.PyTreeNode):
    """The whole of a run's memory: arrays only, so it can be checkpointed, donated, vmapped and laid out anywhere."""

    step: Array  # int32 scalar, rounds finished
    key: Array  # the run's root key; never advanced
    params: Players
    stats: Players
    opt: Players  # optax state by player
    ema: Players  # averaged parameters, for the players that asked for an average
    hyper: Hyper
    aux: Mapping[str, Tree]


class Weights(NamedTuple):
    """What sampling and evaluation need of a state: parameters (raw or averaged) and statistics."""

    params: Players
    stats: Players


class Algorithm(NamedTuple):
    """Pure functions; what a model cannot do is None. Images are float32 NHWC in [-1, 1], labels int32 [B]."""

    init: Callable[[Array], State]  # root key -> state
    update: Callable[[State, Batch], tuple[State, dict[str, Array]]]  # batch leaves [minibatches, B, ...]; one round
    minibatches: int  # how many minibatches a round takes
    hyper: Mapping[str, float]  # the initial values, by name
    best: str | None = None  # the `evaluate` value whose largest held-out mean marks the best checkpoint
    prior: Callable[..., Array] | None = None  # (weights, key, count) -> latents [count, ...]
    decode: Callable[..., Array] | None = None  # (weights, latents, label=None) -> images
    sample: Callable[..., Array] | None = None  # (weights, key, count, label=None) -> images
    evaluate: Callable[..., dict[str, Array]] | None = None  # (weights, hyper, batch, key) -> values an example, [B]
    # (state, batch, key) -> scalars over the global batch: what is too dear to measure in every step (see `diagnosis`)
    probe: Callable[[State, Batch, Array], dict[str, Array]] | None = None
    encode: Callable[..., dict[str, Array]] | None = None  # (weights, batch) -> {"mean": [B, d], "log_variance"?: ...}
    log_likelihood: Callable[..., Array] | None = None  # (weights, batch, key, samples) -> bound on log p(x), nats [B]
    # (weights, batch, key, samples) -> {"value", "standard_error", "effective_samples"}, each [B]: how far to trust it
    log_likelihood_details: Callable[..., dict[str, Array]] | None = None
    # how many values a pixel can take under it; None: a density over [-1, 1]; 0: it does not normalise over the data
    levels: int | None = None
    score: Callable[..., Array] | None = None  # (weights, batch, key) -> anomaly score [B], higher is stranger
    classify: Callable[..., Array] | None = None  # (weights, batch) -> class logits [B, classes]


def weights(state: State, averaged: bool = True) -> Weights:
    """The state's weights: with `averaged`, players that have an EMA contribute it in place of the raw parameters."""
    return Weights({**state.params, **state.ema} if averaged else dict(state.params), state.stats)
