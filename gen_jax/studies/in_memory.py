"""Training without a run folder: for tables of many small models, of which only what they answer is kept."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from gen_jax.core.errors import UserError
from gen_jax.core.types import Algorithm, State
from gen_jax.data import feed
from gen_jax.data.feed import Held

CALL = 500  # rounds in one compiled call, after which Ctrl-C is answered


def trainer(algorithm: Algorithm, steps: int, batch_size: int, stream: str = "train") -> Callable[[Held, int], State]:
    """`train(held, seed) -> state` after so many rounds on a resident split: nothing is chosen by what it scores.

    Order, noise and weights are of the seed, as a run's are. Compiled once for each shape of the data. Raises UserError
    where a step was not finite.
    """
    start, call = jax.jit(algorithm.init), jax.jit(_rounds(algorithm, batch_size, stream), donate_argnums=0)

    def train(held: Held, seed: int) -> State:
        state = start(jax.random.key(seed))
        for done in range(0, steps, CALL):
            state = call(state, held, jnp.uint32(seed), jnp.int32(min(CALL, steps - done)))
        return _finite(state, steps)

    return train


def together(
    algorithm: Algorithm, steps: int, batch_size: int, stream: str = "train"
) -> Callable[[Sequence[Held], int], list[State]]:
    """`train(held, seed) -> states`: the same of several splits of one shape as one program (`vmap`), for accelerators
    that one small model leaves idle. To floating-point tolerance each is what `trainer` makes of it."""
    start = jax.jit(algorithm.init)
    call = jax.jit(jax.vmap(_rounds(algorithm, batch_size, stream), in_axes=(0, 0, None, None)), donate_argnums=0)

    def train(held: Sequence[Held], seed: int) -> list[State]:
        data = jax.tree.map(lambda *leaves: jnp.stack(leaves), *held)
        first = start(jax.random.key(seed))
        states = jax.tree.map(lambda leaf: jnp.stack([leaf] * len(held)), first)
        for done in range(0, steps, CALL):
            states = call(states, data, jnp.uint32(seed), jnp.int32(min(CALL, steps - done)))
        return [_finite(jax.tree.map(lambda leaf, i=i: leaf[i], states), steps) for i in range(len(held))]

    return train


def _rounds(algorithm: Algorithm, batch_size: int, stream: str) -> Callable[[State, Held, jax.Array, jax.Array], State]:
    """So many rounds on a resident split."""
    minibatches = algorithm.minibatches[stream]

    def rounds(state: State, held: Held, seed: jax.Array, count: jax.Array) -> State:
        def one(_: jax.Array, state: State) -> State:
            drawn = feed.fetch(held, seed, state.step, minibatches, batch_size, stream)
            return algorithm.update(state, {stream: drawn})[0]

        return jax.lax.fori_loop(0, count, one, state)

    return rounds


def _finite(state: State, steps: int) -> State:
    if total := int(state.aux["nonfinite"]["total"]):
        raise UserError(f"{total} of {steps} steps were not finite; lower the learning rate")
    return state
