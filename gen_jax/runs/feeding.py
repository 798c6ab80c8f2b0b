"""Between the data and the compiled call: resident arrays where they fit, else batches streamed one call ahead."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gen_jax.core import parallel
from gen_jax.core.errors import UserError
from gen_jax.core.types import Batch
from gen_jax.data import feed, source


class Feed(NamedTuple):
    """What the compiled call needs: `fetch` inside it, `data(step, count)` as its argument, `example()` to compile."""

    fetch: Callable[[Any, Any, Any], Batch]
    data: Callable[[int, int], Any]
    example: Callable[[], Any]
    streamed: bool


def check(data: source.Source, batch_size: int, minibatches: int, devices: int) -> None:
    """Raises UserError unless every round can be fed: one batch from the data, and all of a round's minibatches."""
    feed.check(data, batch_size, devices)
    if minibatches * batch_size > data.train.size:
        most = data.train.size // minibatches
        raise UserError(
            f"a round takes {minibatches} minibatches of {batch_size}, more than the {data.train.size} train examples "
            f"of {data.name}; use --batch-size {most} or less, or fewer discriminator steps a round"
        )


def make(data: source.Source, config: Any, minibatches: int, where: parallel.Layout, start: int) -> Feed:
    """Resident if the train split fits in `config.resident_gib`, else streamed from round `start` on."""
    if feed.fits(data, int(config.resident_gib * 2**30)):
        return _resident(data, config, minibatches, where)
    return _streamed(data, config, minibatches, where, start)


def _resident(data: source.Source, config: Any, minibatches: int, where: parallel.Layout) -> Feed:
    arrays = feed.resident(data, where.replicated)
    # The seed travels as data, so that programs of different seeds are the same program.
    held = {"arrays": arrays, "seed": parallel.place(jnp.uint32(config.seed & 0xFFFFFFFF), where)}

    def fetch(held: Any, step: Any, position: Any) -> Batch:
        return feed.fetch(held["arrays"], held["seed"], step, minibatches, config.batch_size)

    return Feed(fetch, lambda step, count: held, lambda: held, streamed=False)


def _streamed(data: source.Source, config: Any, minibatches: int, where: parallel.Layout, start: int) -> Feed:
    capacity = config.steps_per_call
    rounds = feed.stream(data.train, config.seed, start, config.steps, minibatches, config.batch_size)

    def padded(items: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        # One shape for every call, or a shorter last call would compile again; the filling is never looked at.
        items = items + [items[-1]] * (capacity - len(items))
        return {name: np.stack([item[name] for item in items]) for name in items[0]}

    def next_call(step: int, count: int) -> Any:
        return parallel.place_batches(padded([next(rounds) for _ in range(count)]), where)

    def example() -> Any:
        first = feed.read_round(data.train, config.seed, start, minibatches, config.batch_size)
        return parallel.place_batches(padded([first]), where)

    def fetch(batches: Any, step: Any, position: Any) -> Batch:
        return feed.to_batch(
            {name: jax.lax.dynamic_index_in_dim(leaf, position, 0, False) for name, leaf in batches.items()}
        )

    return Feed(fetch, next_call, example, streamed=True)
