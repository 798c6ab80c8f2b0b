"""Doing things in their order beside the training: at once on a CPU, which has no time to spare, else in a thread.

Logs are read, pictures drawn, scores measured and states handed to the disk by one thread, one after another, so what
stands in a run's files and in which order is the same either way. A failure stops what comes after it and is raised
where the loop next asks. An accelerator trains on meanwhile, so events get a copy of the state, which is overwritten.
"""

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp

from gen_jax.core.types import State


class Aside:
    """What is done aside; see `aside`."""

    def __init__(self, thread: ThreadPoolExecutor | None) -> None:
        self._thread = thread
        self._last: Future | None = None  # what was asked for last
        self._holder: Future | None = None  # what has a copy of the state
        self._failure: BaseException | None = None
        self._idle = False  # what has not begun is not done any more

    def do(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Do it after everything before it. Raises what an earlier one raised."""
        if self._thread is None:
            function(*arguments)
            return
        self._raise()
        self._last = self._thread.submit(self._carry_out, function, *arguments)

    def look(self, state: State, function: Callable[[State], Any]) -> None:
        """Do `function(state)`, though the state is overwritten soon. Waits for the look before, so that there is one
        copy at a time. Raises what an earlier one raised."""
        if self._thread is None:
            function(state)
            return
        if self._holder is not None:
            self._holder.result()
        self.do(function, _copy(state))
        self._holder = self._last

    def wait(self) -> None:
        """Return once everything is done. Raises what an earlier one raised."""
        if self._last is not None:
            self._last.result()
        self._raise()

    def drop(self) -> None:
        """What has not begun is not done."""
        self._idle = True

    def _carry_out(self, function: Callable[..., Any], *arguments: Any) -> None:
        if self._idle:
            return
        try:
            function(*arguments)
        except BaseException as error:  # raised in the loop's own thread
            self._failure, self._idle = error, True

    def _raise(self) -> None:
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure


@contextlib.contextmanager
def aside(threaded: bool) -> Iterator[Aside]:
    """An `Aside`. Leaving the block waits for all of it; leaving with an error, for what has begun."""
    if not threaded:
        yield Aside(None)
        return
    with ThreadPoolExecutor(1, "aside") as thread:
        it = Aside(thread)
        try:
            yield it
        except BaseException:
            it.drop()
            raise
        it.wait()


@jax.jit
def _copy(state: State) -> State:
    def one(leaf: jax.Array) -> jax.Array:
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return jax.random.wrap_key_data(jnp.copy(jax.random.key_data(leaf)), impl=jax.random.key_impl(leaf))
        return jnp.copy(leaf)

    return jax.tree.map(one, state)
