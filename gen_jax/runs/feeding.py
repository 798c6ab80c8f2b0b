"""Between the data and the compiled call: resident arrays where they fit, else batches streamed one call ahead.

The rule for several devices and processes: a split that fits into `resident_gib` is whole on every device, each of
which gathers its own rows of every batch; a larger one is streamed, and each process reads and uploads its own rows
alone. Which example is in row i of the batch of round s is a function of (seed, s, i) either way, so any number of
processes continues what any other began.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gen_jax.core import parallel, rounds
from gen_jax.core.errors import UserError
from gen_jax.core.types import Batch, Round
from gen_jax.data import feed, source
from gen_jax.runs.config import Config


class Feed(NamedTuple):
    """What the compiled call needs: `fetch` inside it, `data(step, count)` as its argument, `example()` to compile."""

    fetch: Callable[[Any, Any, Any], Round]
    data: Callable[[int, int], Any]
    example: Callable[[], Any]
    streamed: bool


def check(data: source.Source, batch_size: int, minibatches: Mapping[str, int], devices: int) -> None:
    """Raises UserError unless every round can be fed: one batch from the data, and all of a round's minibatches."""
    feed.check(data, batch_size, devices)
    for stream in minibatches:
        data.split(stream)
    taken = minibatches.get("train", 0)
    if taken * batch_size > data.train.size:
        most = data.train.size // taken
        smaller = {0: "", 1: "--batch-size 1, or "}.get(most, f"--batch-size {most} or less, or ")
        raise UserError(
            f"a round takes {taken} minibatches of {batch_size}, more than the {data.train.size} train examples "
            f"of {data.name}; use {smaller}fewer discriminator steps a round"
        )


def shapes(data: source.Source, batch_size: int, minibatches: Mapping[str, int]) -> Round:
    """One round's batches as shapes, without reading more than one example of each stream."""

    def of(stream: str, count: int) -> dict[str, jax.ShapeDtypeStruct]:
        example = jax.eval_shape(feed.to_batch, data.split(stream).read(np.arange(1)))
        return {name: jax.ShapeDtypeStruct((count, batch_size, *a.shape[1:]), a.dtype) for name, a in example.items()}

    return {stream: of(stream, count) for stream, count in minibatches.items()}  # pyright: ignore


def one(data: source.Source, rows: int, stream: str) -> Batch:
    """`shapes` of one batch of a stream."""
    (found,) = shapes(data, rows, {stream: 1}).values()
    return {name: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype) for name, leaf in found.items()}  # pyright: ignore


def make(
    data: source.Source, config: Config, minibatches: Mapping[str, int], where: parallel.Layout, start: int
) -> Feed:
    """Resident if the splits it draws from fit in `config.resident_gib`, else streamed from round `start` on."""
    if feed.fits(data, int(config.resident_gib * 2**30), minibatches):
        return _resident(data, config, minibatches, where)
    return _streamed(data, config, minibatches, where, start)


def _resident(data: source.Source, config: Config, minibatches: Mapping[str, int], where: parallel.Layout) -> Feed:
    splits = {stream: _held(data.split(stream), where) for stream in minibatches}
    # The seed travels as data, so that programs of different seeds are the same program.
    held = {"splits": splits, "seed": parallel.place(jnp.uint32(config.seed & 0xFFFFFFFF), where)}

    def choose(held: Any, step: Any) -> dict[str, Any]:
        return {
            stream: feed.choose(held["splits"][stream], held["seed"], step, count, config.batch_size, stream)
            for stream, count in minibatches.items()
        }

    def take(held: Any, chosen: Any) -> Round:
        return {stream: feed.take(held["splits"][stream], chosen[stream]) for stream in minibatches}

    return Feed(rounds.Drawn(choose, take), lambda step, count: held, lambda: held, streamed=False)


def _held(split: source.Split, where: parallel.Layout) -> feed.Held:
    arrays = {name: parallel.put(a, where.replicated) for name, a in source.whole(split).items()}
    words = (None if w is None else parallel.put(w, where.replicated) for w in (split.thresholds, split.poisson))
    return feed.Held(arrays, *words)


def _streamed(
    data: source.Source, config: Config, minibatches: Mapping[str, int], where: parallel.Layout, start: int
) -> Feed:
    capacity = config.steps_per_call
    drawn = {stream: (data.split(stream), count) for stream, count in minibatches.items()}
    rows = parallel.own_rows(where, config.batch_size)
    rounds = feed.stream(drawn, config.seed, start, config.steps, config.batch_size, rows)

    def padded(items: list[Any]) -> Any:
        # One shape for every call, or a shorter last call would compile again; the filling is never looked at.
        items = items + [items[-1]] * (capacity - len(items))
        return jax.tree.map(lambda *leaves: np.stack(leaves), *items)

    def next_call(step: int, count: int) -> Any:
        return parallel.place_batches(padded([next(rounds) for _ in range(count)]), where, config.batch_size)

    def example() -> Any:
        first = {
            stream: feed.read_round(split, config.seed, start, count, config.batch_size, rows, stream)
            for stream, (split, count) in drawn.items()
        }
        return parallel.place_batches(padded([first]), where, config.batch_size)

    def fetch(batches: Any, step: Any, position: Any) -> Round:
        now = jax.tree.map(lambda leaf: jax.lax.dynamic_index_in_dim(leaf, position, 0, False), batches)
        return {stream: feed.to_batch(batch) for stream, batch in now.items()}

    return Feed(fetch, next_call, example, streamed=True)
