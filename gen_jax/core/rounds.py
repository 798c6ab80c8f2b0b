"""Many rounds as one loop of a compiled program: what can be known ahead is, and metrics leave as rows.

On an accelerator a round of a small model is a hundred launches, each of which costs about as much as its work. So the
examples of all rounds are chosen at once before the loop (walking a permutation is a loop of its own, whose end the
host would wait for in every round), and a round's metrics are written as one row, not one by one.
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


def loop(one: One, state: State, count: Array, capacity: int, ahead: Tree = None) -> tuple[State, Metrics]:
    """`count` rounds, `capacity` at most: (state, metrics [capacity, ...]; entries past `count` are zero).

    `ahead`: leaves [capacity, ...], a row for each round.
    """

    def row(position: Array) -> Tree:
        return jax.tree.map(lambda leaf: lax.dynamic_index_in_dim(leaf, position, 0, keepdims=False), ahead)

    rows = _Rows(jax.eval_shape(one, state, jnp.int32(0), row(jnp.int32(0)))[1])
    buffers = {
        kind: jnp.zeros((capacity, *shape.shape), shape.dtype)
        for kind, shape in jax.eval_shape(rows.pack, rows.shapes).items()
    }

    def body(position: Array, carry: tuple[State, Metrics]) -> tuple[State, Metrics]:
        state, buffers = carry
        state, metrics = one(state, position, row(position))
        return state, {
            kind: lax.dynamic_update_index_in_dim(buffers[kind], new, position, 0)
            for kind, new in rows.pack(metrics).items()
        }

    state, buffers = lax.fori_loop(0, count, body, (state, buffers))
    return state, rows.unpack(buffers)
