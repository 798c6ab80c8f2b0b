"""The contract that every model fulfils and every tool relies on: batches, contexts, states, algorithms.

A model is a set of *players* (named Linen modules with their own parameters, statistics and optimizer) and an ordered
list of *phases* (who moves, on which objective, how often; see `phases`). Nothing else in the project knows which
model it runs: what tools need to know of it, `Algorithm` declares.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import jax
from flax import struct

Array: TypeAlias = jax.Array
Tree: TypeAlias = Any  # a pytree of arrays
# "x" [B, *event], images as float32 [B, H, W, C] in [-1, 1], and what else is known: "label" int32 [B], "mask", ...
Batch: TypeAlias = Mapping[str, Array]
Round: TypeAlias = Mapping[str, Batch]  # by stream ("train", "labelled", ...): leaves [minibatches, B, ...]
Given: TypeAlias = Mapping[str, Array]  # what a model is conditioned on, [B, ...] each, under the names of a batch
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
    beside: Mapping[str, Batch] = {}  # minibatches of the further streams that the phase asked for, by stream


class Aux(NamedTuple):
    """What an objective returns beside its loss. Metrics are scalars: means over this instance's rows."""

    stats: Players = {}  # new statistics of the players whose statistics changed
    metrics: Mapping[str, Array] = {}
    aux: Mapping[str, Tree] = {}  # new values of the controllers that changed


Objective: TypeAlias = Callable[[Players, Context], tuple[Array, Aux]]  # the loss is a mean over this instance's rows


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
    ema_stats: Players = struct.field(default_factory=dict)  # averaged statistics, of players that average them too


class Weights(NamedTuple):
    """What sampling and evaluation need of a state: parameters (raw or averaged) and statistics."""

    params: Players
    stats: Players


# One example of each thing that a model is given, without the batch axis: networks are made for it.
GivenShapes: TypeAlias = Mapping[str, jax.ShapeDtypeStruct]
PRESENT = "present"  # float32 [B] of a batch whose rows may hold no example: 1 where they do
LABEL: GivenShapes = {"label": jax.ShapeDtypeStruct((), "int32")}


class Sampler(NamedTuple):
    """One way of drawing x. `draw(weights, key, count, given, **options)` gives [count, *event], as papers show it."""

    draw: Callable[..., Array]
    given: tuple[str, ...] = ()  # what it has to be given, of each of the `count`
    options: Mapping[str, float] = {}  # what a user may set, with defaults


class Code(NamedTuple):
    """Entries [start, start + size) of a model's latents that mean something beside noise: one one-hot choice among
    `size` categories, or numbers of this standard deviation."""

    name: str
    start: int
    size: int
    categories: bool
    deviation: float = 1.0


class Algorithm(NamedTuple):
    """Pure functions; what a model cannot do is None, and every tool says so. `given` holds the entries of the same
    name of a batch. Images are float32 NHWC in [-1, 1], labels int32 [B].
    """

    init: Callable[[Array], State]  # root key -> state
    update: Callable[[State, Round], tuple[State, dict[str, Array]]]  # one round
    minibatches: Mapping[str, int]  # how many minibatches a round takes of each stream
    hyper: Mapping[str, float]  # the initial values, by name
    given: tuple[str, ...] = ()  # what `prior`, `decode`, `encode`, `evaluate` and the rest are conditioned on
    samplers: Mapping[str, Sampler] = {}  # "prior" where the model can sample; others by the model
    prior: Callable[..., Array] | None = None  # (weights, key, count, given) -> latents [count, ...]
    normal_prior: bool = False  # whether these are N(0, I)
    codes: tuple[Code, ...] = ()  # what of them has a meaning of its own; () where all are alike
    decode: Callable[..., Array] | None = None  # (weights, latents, given) -> x
    # (weights, batch) -> {"mean": [B, d], "log_variance"?: [B, d]}, with the second where q(z|x) is that normal
    encode: Callable[..., dict[str, Array]] | None = None
    point_codes: bool = False  # whether "mean" is the code itself rather than the centre of a q(z|x)
    evaluate: Callable[..., dict[str, Array]] | None = None  # (weights, batch, key) -> values an example, [B]
    best: str | None = None  # the `evaluate` value whose largest held-out mean marks the best checkpoint
    adversarial: bool = False  # whether players move against each other: averages tell of circles
    # (weights, batch, key, samples) -> {"value": bound on log p(x) in nats, "standard_error", "effective_samples"}, [B]
    likelihood: Callable[..., dict[str, Array]] | None = None
    # how many values an element of x can take under it; None: a density over [-1, 1]; 0: it does not normalise
    levels: int | None = None
    score: Callable[..., Array] | None = None  # (weights, batch, key) -> anomaly score [B], higher is stranger
    # (weights, batch, x [B, *event]) -> [B, n]: what the discriminator's last layer sees of x, put in the batch's place
    features: Callable[..., Array] | None = None
    # (weights, batch, {"mean", "log_variance"} [B, d], key, samples) -> the ELBO [B] in nats under that q(z|x)
    elbo_under: Callable[..., Array] | None = None
    classify: Callable[..., Array] | None = None  # (weights, batch) -> class logits [B, classes]
    cluster: Callable[..., Array] | None = None  # (weights, batch) -> logits [B, K] of groups that no label named
    gaps: bool = False  # whether x may have cells without a value (NaN), in training and after
    mixed: bool = False  # whether some columns of x may be numbers of categories (`data.columns`)
    # (state, batch, key) -> scalars over the global batch: what is too dear to measure in every step (see `diagnosis`)
    probe: Callable[[State, Batch, Array], dict[str, Array]] | None = None
    privacy: Mapping[str, Any] | None = None  # what private training spends by its last step, for a person and as JSON


def given_of(batch: Batch, names: tuple[str, ...] | Mapping[str, object]) -> dict[str, Array]:
    """What a model that is conditioned on `names` is given by this batch."""
    return {name: batch[name] for name in names}


def weights(state: State, averaged: bool = True) -> Weights:
    """The state's weights: with `averaged`, players that have an EMA contribute it in place of the raw parameters, and
    those that average their statistics too (`Player.ema_statistics`) in place of the raw statistics."""
    if not averaged:
        return Weights(dict(state.params), state.stats)
    return Weights({**state.params, **state.ema}, {**state.stats, **state.ema_stats})
