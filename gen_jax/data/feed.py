"""How batches reach the step: gathered on the device from resident data, or streamed through Grain.

Both take example numbers from `order.indices` and pixels through `source.to_float` on the device, so they give the same
bits for the same (seed, step), from any first step and with any number of threads. Nothing is saved to resume.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from gen_jax.core import axis
from gen_jax.core.errors import UserError
from gen_jax.core.types import PRESENT, Batch
from gen_jax.data import order, source


def check(data: source.Source, batch_size: int, devices: int = 1) -> None:
    """Raises UserError unless batches of `batch_size` can be drawn from the train split and shared among `devices`."""
    if batch_size < 1:
        raise UserError(f"batch size {batch_size}: must be at least 1")
    if batch_size > data.train.size:
        raise UserError(
            f"batch size {batch_size} is larger than {data.name}, which has {data.train.size} train examples"
        )
    if batch_size % devices:
        below, above = batch_size // devices * devices, -(-batch_size // devices) * devices
        options = f"{below} or {above}" if below else str(above)
        raise UserError(f"batch size {batch_size} cannot be divided among {devices} devices; try {options}")


def fits(data: source.Source, budget_bytes: int, streams: Iterable[str] = ("train",)) -> bool:
    """Whether these splits, as uint8 (or float32 points) and labels, stay within the budget of device memory."""
    return sum(data.split(name).nbytes for name in streams) <= budget_bytes


class Held(NamedTuple):
    """A split on the device."""

    arrays: dict[str, jax.Array]
    thresholds: jax.Array | None  # where its examples are drawn by weight
    poisson: jax.Array | None = None  # where each is in a batch by chance, and rows may hold none


def resident(split: source.Split, sharding: Any = None) -> Held:
    """A split on the device (replicated where `sharding` says so), for `fetch`."""
    arrays = {name: jax.device_put(a, sharding) for name, a in source.whole(split).items()}
    words = (None if w is None else jax.device_put(w, sharding) for w in (split.thresholds, split.poisson))
    return Held(arrays, *words)


def fetch(held: Held, seed: Any, step: Any, minibatches: int, batch_size: int, stream: str = "train") -> Batch:
    """One stream's batch of one round, gathered from a resident split inside a compiled step (`seed`, `step` traced).

    Leaves are [minibatches, rows, ...], where rows is the global `batch_size`, or this device's share of it inside
    `pmap`, `shard_map` or `vmap` over the data axis.
    """
    return take(held, choose(held, seed, step, minibatches, batch_size, stream))


def choose(held: Held, seed: Any, step: Any, minibatches: int, batch_size: int, stream: str = "train") -> jax.Array:
    """The half of `fetch` that needs no state: which examples, int32 [minibatches, rows]."""
    shards = lax.axis_size(axis.DATA_AXIS) if axis.bound() else 1
    rows = axis.rows(batch_size // shards)
    size, seed = len(held.arrays["x"]), order.seed_of(seed, stream, jnp)
    if held.poisson is not None:
        return order.poisson(seed, step, minibatches, batch_size, size, held.poisson, rows, xp=jnp)
    if held.thresholds is None:
        return order.indices(seed, step, minibatches, batch_size, size, rows, xp=jnp)
    return order.weighted(seed, step, minibatches, batch_size, held.thresholds, rows, xp=jnp)


def take(held: Held, chosen: jax.Array) -> Batch:
    """The other half: the batch of the chosen examples; a row that holds none shows the first, and is not `PRESENT`."""
    rows = chosen if held.poisson is None else jnp.maximum(chosen, 0)
    found = {name: a.at[rows].get(mode="promise_in_bounds") for name, a in held.arrays.items()}
    return to_batch(found if held.poisson is None else {**found, PRESENT: (chosen >= 0).astype(jnp.float32)})


def to_batch(raw: dict[str, Any]) -> Batch:
    """Raw arrays as read (uint8 or float32 images, int32 labels) -> the batch that models see: whatever is uint8 is an
    image. Runs on the device."""
    return {name: source.to_float(array, jnp) for name, array in raw.items()}


def read_round(
    split: source.Split,
    seed: int,
    step: int,
    minibatches: int,
    batch_size: int,
    rows: np.ndarray | None = None,
    stream: str = "train",
) -> dict[str, np.ndarray]:
    """What `fetch` gathers, on the host and not yet converted: leaves [minibatches, rows, ...]."""
    seed = order.seed_of(seed, stream)
    if split.poisson is not None:
        chosen = order.poisson(seed, step, minibatches, batch_size, split.size, split.poisson, rows)
        raw = split.read(np.maximum(chosen, 0).reshape(-1).astype(np.int64))
        found = {name: a.reshape(*chosen.shape, *a.shape[1:]) for name, a in raw.items()}
        return {**found, PRESENT: (chosen >= 0).astype(np.float32)}
    if split.thresholds is None:
        chosen = order.indices(seed, step, minibatches, batch_size, split.size, rows)
    else:
        chosen = order.weighted(seed, step, minibatches, batch_size, split.thresholds, rows)
    raw = split.read(chosen.reshape(-1).astype(np.int64))
    return {name: a.reshape(*chosen.shape, *a.shape[1:]) for name, a in raw.items()}


Drawn = Mapping[str, tuple[source.Split, int]]  # stream -> (its split, minibatches a round takes of it)


def stream(
    drawn: Drawn,
    seed: int,
    start: int,
    stop: int,
    batch_size: int,
    rows: np.ndarray | None = None,
    threads: int = 4,
    prefetch: int = 8,
) -> Iterator[dict[str, dict[str, np.ndarray]]]:
    """Rounds `start` .. `stop - 1` in order, by stream and each as by `read_round`, read ahead by Grain in threads.

    `rows` are the positions in the global batch that this process needs (all by default). Close the iterator, or let it
    go, to stop reading.
    """
    import grain

    def read(step: int) -> dict[str, dict[str, np.ndarray]]:
        return {
            name: read_round(split, seed, int(step), minibatches, batch_size, rows, name)
            for name, (split, minibatches) in drawn.items()
        }

    options = grain.ReadOptions(
        num_threads=threads, prefetch_buffer_size=max(prefetch, threads) if threads else prefetch
    )
    return iter(grain.MapDataset.range(start, stop).map(read).to_iter_dataset(options))
