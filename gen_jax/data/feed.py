"""How batches reach the step: gathered on the device from resident data, or streamed through Grain.

Both take example numbers from `order.indices` and pixels through `source.to_float` on the device, so they give the same
bits for the same (seed, step), from any first step and with any number of threads. Nothing is saved to resume.
"""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from gen_jax.core import axis
from gen_jax.core.errors import UserError
from gen_jax.core.types import Batch
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


def fits(data: source.Source, budget_bytes: int) -> bool:
    """Whether the train split, as uint8 (or float32 points) and labels, stays within the budget of device memory."""
    return data.train.nbytes <= budget_bytes


def resident(data: source.Source, sharding: Any = None) -> dict[str, jax.Array]:
    """The train split on the device (replicated where `sharding` says so), for `fetch`."""
    return {name: jax.device_put(a, sharding) for name, a in source.whole(data.train).items()}


def fetch(arrays: dict[str, jax.Array], seed: Any, step: Any, minibatches: int, batch_size: int) -> Batch:
    """The batch of one round, gathered from resident arrays; for use inside a compiled step (`seed`, `step` traced).

    Leaves are [minibatches, rows, ...], where rows is the global `batch_size`, or this device's share of it inside
    `pmap`, `shard_map` or `vmap` over the data axis.
    """
    shards = lax.axis_size(axis.DATA_AXIS) if axis.bound() else 1
    rows = axis.rows(batch_size // shards)
    size = len(arrays["image"])
    chosen = order.indices(seed, step, minibatches, batch_size, size, rows, xp=jnp)
    return to_batch({name: a.at[chosen].get(mode="promise_in_bounds") for name, a in arrays.items()})


def to_batch(raw: dict[str, Any]) -> Batch:
    """Raw arrays as read (uint8 or float32 images, int32 labels) -> the batch that models see. Runs on the device."""
    return {**raw, "image": source.to_float(raw["image"], jnp)}


def read_round(
    split: source.Split, seed: int, step: int, minibatches: int, batch_size: int, rows: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """What `fetch` gathers, on the host and not yet converted: leaves [minibatches, rows, ...]."""
    chosen = order.indices(seed, step, minibatches, batch_size, split.size, rows)
    raw = split.read(chosen.reshape(-1).astype(np.int64))
    return {name: a.reshape(*chosen.shape, *a.shape[1:]) for name, a in raw.items()}


def stream(
    split: source.Split,
    seed: int,
    start: int,
    stop: int,
    minibatches: int,
    batch_size: int,
    rows: np.ndarray | None = None,
    threads: int = 4,
    prefetch: int = 8,
) -> Iterator[dict[str, np.ndarray]]:
    """Rounds `start` .. `stop - 1` in order, each as by `read_round`, read ahead by Grain in threads.

    `rows` are the positions in the global batch that this process needs (all by default). Close the iterator, or let it
    go, to stop reading.
    """
    import grain

    rounds = grain.MapDataset.range(start, stop).map(
        lambda step: read_round(split, seed, int(step), minibatches, batch_size, rows)
    )
    options = grain.ReadOptions(
        num_threads=threads, prefetch_buffer_size=max(prefetch, threads) if threads else prefetch
    )
    return iter(rounds.to_iter_dataset(options))


def grouped(rounds: Iterator[dict[str, np.ndarray]], count: int) -> Iterator[dict[str, np.ndarray]]:
    """`count` rounds at a time, for one scanned call: leaves [count, minibatches, rows, ...]; the last may be less."""
    group: list[dict[str, np.ndarray]] = []
    for item in rounds:
        group.append(item)
        if len(group) == count:
            yield _stack(group)
            group = []
    if group:
        yield _stack(group)


def _stack(group: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.stack([item[name] for item in group]) for name in group[0]}
