"""Training without a run folder: for tables of many small models, of which only what they answer is kept."""

from collections.abc import Callable

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
    start, minibatches = jax.jit(algorithm.init), algorithm.minibatches[stream]

    def rounds(state: State, held: Held, seed: jax.Array, count: jax.Array) -> State:
        def one(_: jax.Array, state: State) -> State:
            drawn = feed.fetch(held, seed, state.step, minibatches, batch_size, stream)
            return algorithm.update(state, {stream: drawn})[0]

        return jax.lax.fori_loop(0, count, one, state)

    call = jax.jit(rounds, donate_argnums=0)

    def train(held: Held, seed: int) -> State:
        state = start(jax.random.key(seed))
        for done in range(0, steps, CALL):
            state = call(state, held, jnp.uint32(seed), jnp.int32(min(CALL, steps - done)))
        if total := int(state.aux["nonfinite"]["total"]):
            raise UserError(f"{total} of {steps} steps were not finite; lower the learning rate")
        return state

    return train
