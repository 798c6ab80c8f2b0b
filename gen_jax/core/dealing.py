"""Numbered batches dealt out to all processes and all of their devices, and gathered in the order of their numbers.

What a batch gives is a function of the weights and its number, so it does not matter who makes it. A device makes whole
batches, so the numbers are those of one device. What processes made is gathered as bytes, so nothing is rounded; where
one fails all hear of it (`core.turns`).
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache, partial
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from gen_jax.core import processes, turns
from gen_jax.core.types import Tree

# Not the data axis: a batch is whole on its device, and its noise is that of the whole batch.
AXIS = "batches"
ByDevice: TypeAlias = Callable[[Tree, Iterable[tuple]], Iterator[Tree]]  # (weights, batches) -> a result of each
PIECE = 1 << 28  # bytes of all processes that are gathered at once

_WHOLE, _SPLIT = PartitionSpec(), PartitionSpec(AXIS)


# ---- the devices of one process --------------------------------------------------------------------------------------


def devices(weights: Tree) -> list[Any]:
    """The devices of this process that make batches: those on which the weights lie; all, for weights of the host."""
    held = [leaf.sharding.addressable_devices for leaf in jax.tree.leaves(weights) if isinstance(leaf, jax.Array)]
    return sorted(max(held, key=len), key=lambda device: device.id) if held else jax.local_devices()


def on_all(weights: Tree) -> Tree:
    """The weights, whole on every device of this process, so that all of them make batches."""
    if jax.local_device_count() == 1:
        return weights
    return jax.device_put(weights, NamedSharding(_mesh(tuple(jax.local_devices())), _WHOLE))


def by_device(function: Callable[..., Tree], static: tuple[int, ...] = ()) -> ByDevice:
    """`run(weights, batches)` gives the pure `function(weights, *batch)` of each batch, in their order, on the host.

    On one device it is `jit`, with these arguments `static`, which are the same for all batches. On D devices D
    batches, which have one shape, are computed at once, each on a device of its own, in one program; the last are
    filled up with repeats. A batch is read while the one before is computed.
    """
    alone, together = jax.jit(function, static_argnums=static), lru_cache(maxsize=4)(partial(_mapped, function))

    def begun(weights: Tree, batches: Iterable[tuple]) -> Iterator[tuple[Tree, int]]:
        """(results, of how many batches: 0 for one that is not stacked), not waited for."""
        where = tuple(devices(weights))
        if len(where) == 1:
            own = jax.tree.map(lambda leaf: leaf if isinstance(leaf, jax.Array) else jnp.asarray(leaf), weights)
            for batch in batches:
                yield alone(own, *batch), 0
            return
        mesh = _mesh(where)
        whole = jax.device_put(weights, NamedSharding(mesh, _WHOLE))
        for group in _groups(batches, len(where)):
            fixed = tuple((place, group[0][place - 1]) for place in static)
            filled = [group[min(place, len(group) - 1)] for place in range(len(where))]
            moving = [tuple(part for place, part in enumerate(batch, 1) if place not in static) for batch in filled]
            stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *moving)
            yield together(mesh, fixed)(whole, jax.device_put(stacked, NamedSharding(mesh, _SPLIT))), len(group)

    def run(weights: Tree, batches: Iterable[tuple]) -> Iterator[Tree]:
        before: list[tuple[Tree, int]] = []
        for now in begun(weights, batches):
            yield from itertools.chain.from_iterable(map(_apart, before))
            before = [now]
        yield from itertools.chain.from_iterable(map(_apart, before))

    return run


@lru_cache(maxsize=8)
def _mesh(where: tuple[Any, ...]) -> Mesh:
    return Mesh(np.array(where), (AXIS,), axis_types=(AxisType.Auto,))


def _mapped(function: Callable[..., Tree], mesh: Mesh, fixed: tuple[tuple[int, Any], ...]) -> Callable[..., Tree]:
    def one(weights: Tree, batch: tuple) -> Tree:
        parts = list(jax.tree.map(lambda leaf: leaf[0], batch))
        for place, value in fixed:
            parts.insert(place - 1, value)
        found = function(weights, *parts)
        return jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], found)

    return jax.jit(jax.shard_map(one, mesh=mesh, in_specs=(_WHOLE, _SPLIT), out_specs=_SPLIT, check_vma=False))


def _groups(batches: Iterable[tuple], size: int) -> Iterator[list[tuple]]:
    rest = iter(batches)
    while group := list(itertools.islice(rest, size)):
        yield group


def _apart(begun: tuple[Tree, int]) -> Iterator[Tree]:
    made, count = begun
    found = jax.device_get(made)
    if not count:
        yield found
    for place in range(count):
        yield jax.tree.map(lambda leaf, place=place: leaf[place], found)


# ---- processes -------------------------------------------------------------------------------------------------------


def over_processes(count: int, make: Callable[[Sequence[int]], Iterable[Tree]]) -> Iterable[Tree]:
    """What `make(numbers)` gives of the numbers 0 … count - 1, in their order, on every process.

    `make` gives a tree of host arrays for each number, of one structure and one shape for all. Of P processes process p
    is asked for p, p + P, …, and one that has none for number 0. A process alone is asked for all, and nothing is made
    before it is looked at. All processes have to come, in the same order of calls; where one fails, all raise: it what
    it raised, the others `turns.Elsewhere`, or UserError where it is one.
    """
    if not processes.together():
        return make(range(count))
    own = range(processes.index(), count, processes.count())
    made, failed = list[Tree](), None
    try:
        made = list(make(own or range(1)))
        if len(shapes := {*map(_shapes, made)}) > 1:  # else one's bytes would lie where another's are
            raise ValueError(f"batches of several shapes cannot be gathered: {' and '.join(sorted(shapes))}")
    except Exception as error:
        failed = error
    turns.take(failed, made=_shapes(made[0]) if made else "")
    return _in_order(made[: len(own)], made[0], count)


def _shapes(tree: Tree) -> str:
    leaves, structure = jax.tree.flatten(tree)
    return f"{structure} {[(str(leaf.dtype), leaf.shape) for leaf in map(np.asarray, leaves)]}"


def _in_order(own: Sequence[Tree], like: Tree, count: int) -> list[Tree]:
    """All trees by their numbers, of which this process has made `own`."""
    leaves, structure = jax.tree.flatten(jax.tree.map(np.asarray, like))
    ends = np.cumsum([0, *(leaf.nbytes for leaf in leaves)])
    rows = np.zeros((-(-count // processes.count()), ends[-1]), np.uint8)
    for row, tree in zip(rows, own, strict=False):
        for start, leaf in zip(ends, jax.tree.leaves(tree), strict=False):
            row[start : start + np.asarray(leaf).nbytes] = np.frombuffer(np.asarray(leaf).tobytes(), np.uint8)
    everyones = _gathered(rows.reshape(-1)).reshape(processes.count(), *rows.shape)

    def tree(number: int) -> Tree:
        row = everyones[number % processes.count(), number // processes.count()]
        parts = zip(leaves, ends[:-1], ends[1:], strict=True)
        return structure.unflatten([row[a:b].copy().view(leaf.dtype).reshape(leaf.shape) for leaf, a, b in parts])

    return [tree(number) for number in range(count)]


def _gathered(own: np.ndarray) -> np.ndarray:
    """The bytes of every process, uint8 [processes, N], of which this one has [N]; N is the same on all."""
    everywhere = tuple(sorted(jax.devices(), key=lambda device: (device.process_index, device.id)))
    each, split = jax.local_device_count(), NamedSharding(_mesh(everywhere), _SPLIT)
    parts = [np.empty((processes.count(), 0), np.uint8)]
    size = max(PIECE // processes.count(), 1)
    for start in range(0, len(own), size):
        piece = own[start : start + size]
        dealt = np.pad(piece, (0, -len(piece) % each)).reshape(each, -1)
        array = jax.make_array_from_process_local_data(split, dealt, (len(everywhere), dealt.shape[1]))
        found = np.asarray(_whole(split.mesh)(array).addressable_data(0))
        parts.append(found.reshape(processes.count(), -1)[:, : len(piece)])
    return np.concatenate(parts, axis=1)


@lru_cache(maxsize=2)
def _whole(mesh: Mesh) -> Callable[[jax.Array], jax.Array]:
    return jax.jit(lambda rows: rows, out_shardings=NamedSharding(mesh, _WHOLE))
