"""Many rounds as one loop of a compiled program: what can be known ahead is, and metrics leave as rows.

On an accelerator a round of a small model is a hundred launches, each of which costs about as much as its work. So the
examples of all rounds are chosen at once before the loop (walking a permutation is a loop of its own, whose end the
host would wait for in every round), a round's metrics are written as one row, not one by one, and what is looked at
now and then stands between loops, not as a branch in each round.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from gen_jax.core.types import Array, Round, State, Tree

Metrics = dict[str, Array]
# (state, position within the call, what was chosen ahead for this round) -> (state after the round, metrics)
One = Callable[[State, Array, Tree], tuple[State, Metrics]]


class Drawn(NamedTuple):
    """A `Fetch` in two halves, the first of which sees nothing but the data and the step: it can be done ahead."""

    choose: Callable[[Tree, Array], Tree]  # (data, step) -> what this step takes
    take: Callable[[Tree, Tree], Round]  # (data, what was chosen) -> a round's batches by stream

    def __call__(self, data: Tree, step: Array, position: Array) -> Round:
        return self.take(data, self.choose(data, step))


class Glance(NamedTuple):
    """A look at the state after every `every`-th round of a run: `see(state, position, chosen)` gives scalars."""

    every: int
    see: Callable[[State, Array, Tree], Metrics]


class _Rows(NamedTuple):
    """How metrics lie in rows: by dtype, each flat, in the order of the dict."""

    shapes: Any

    def pack(self, metrics: Metrics) -> Metrics:
        found: dict[str, list[Array]] = {}
        for name in self.shapes:
            found.setdefault(str(self.shapes[name].dtype), []).append(metrics[name].reshape(-1))
        return {kind: jnp.concatenate(parts) for kind, parts in found.items()}

    def unpack(self, rows: Metrics) -> Metrics:
        """[rounds, width] by dtype -> [rounds, ...] by name."""
        at, found = dict.fromkeys(rows, 0), {}
        for name, shape in self.shapes.items():
            kind, size = str(shape.dtype), shape.size
            column = rows[kind][:, at[kind] : at[kind] + size]
            found[name] = column.reshape(-1, *shape.shape)
            at[kind] += size
        return found


def loop(
    one: One, state: State, count: Array, capacity: int, ahead: Tree = None, glance: Glance | None = None
) -> tuple[State, Metrics]:
    """`count` rounds, `capacity` at most: (state, metrics [capacity, ...]; entries past `count` are zero).

    `ahead`: leaves [capacity, ...], a row for each round. What a glance sees is NaN in the rounds that it leaves out.
    """

    def row(position: Array) -> Tree:
        return jax.tree.map(lambda leaf: lax.dynamic_index_in_dim(leaf, position, 0, keepdims=False), ahead)

    rows = _Rows(jax.eval_shape(one, state, jnp.int32(0), row(jnp.int32(0)))[1])
    buffers = _buffers(rows, capacity, 0)

    def body(position: Array, carry: tuple[State, Metrics]) -> tuple[State, Metrics]:
        state, buffers = carry
        state, metrics = one(state, position, row(position))
        return state, _write(rows, buffers, metrics, position)

    if glance is None:
        state, buffers = lax.fori_loop(0, count, body, (state, buffers))
        return state, rows.unpack(buffers)

    seen = _Rows(jax.eval_shape(glance.see, state, jnp.int32(0), row(jnp.int32(0))))

    def stretch(carry: tuple[Array, State, Metrics, Metrics]) -> tuple[Array, State, Metrics, Metrics]:
        """The rounds up to the next look, or to the end; and the look."""
        position, state, buffers, looks = carry
        until = _least(jnp.minimum(count, position + glance.every - state.step % glance.every))
        state, buffers = lax.fori_loop(position, until, body, (state, buffers))
        last = until - 1
        found = lax.cond(
            _any(state.step % glance.every == 0),
            lambda: glance.see(state, last, row(last)),
            lambda: {name: jnp.full(s.shape, jnp.nan, s.dtype) for name, s in seen.shapes.items()},
        )
        return until, state, buffers, _write(seen, looks, found, last)

    start = (jnp.int32(0), state, buffers, _buffers(seen, capacity, jnp.nan))
    _, state, buffers, looks = lax.while_loop(lambda carry: carry[0] < count, stretch, start)
    return state, rows.unpack(buffers) | seen.unpack(looks)


def _buffers(rows: _Rows, capacity: int, fill: float) -> Metrics:
    kinds = jax.eval_shape(rows.pack, rows.shapes)
    return {kind: jnp.full((capacity, *shape.shape), fill, shape.dtype) for kind, shape in kinds.items()}


def _write(rows: _Rows, buffers: Metrics, metrics: Metrics, position: Array) -> Metrics:
    new = rows.pack(metrics)
    return {kind: lax.dynamic_update_index_in_dim(buffers[kind], new[kind], position, 0) for kind in new}


# Under `vmap` (seeds that train as one program) these are of all together, so that loops and branches stay such: on a
# batched predicate each round would run with its result thrown away, or both sides of a branch.


@jax.custom_batching.custom_vmap
def _any(due: Array) -> Array:
    """`due`; under `vmap` whether any is."""
    return due


@_any.def_vmap
def _any_of_all(size: int, batched: list[bool], due: Array) -> tuple[Array, bool]:
    return due.any(axis=0), False


@jax.custom_batching.custom_vmap
def _least(value: Array) -> Array:
    """`value`; under `vmap` the least of all."""
    return value


@_least.def_vmap
def _least_of_all(size: int, batched: list[bool], value: Array) -> tuple[Array, bool]:
    return value.min(axis=0), False
