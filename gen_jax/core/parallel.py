"""One update, every backend: jit, sharded jit over a mesh, pmap and shard_map, many steps in one program.

All four run the same `update`; only the wrapper differs. The state goes in and comes out unreplicated (one logical
copy), so one checkpoint serves every layout. `pmap` is in maintenance mode in JAX (it wraps `jit(shard_map)`); it is
kept because published code uses it. Sharded jit is the default for several accelerators: the compiler inserts the
reductions, and batch statistics are global by themselves. On several CPU devices the default is shard_map, whose sums
are taken in the order of the devices (`core.ordered`), so that they do not depend on which process holds which device.

Several processes run the same program on all of their devices. An array is made of what each process has of it: the
whole of what is replicated, its own rows of what is split.
"""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from gen_jax.core import keys, ordered, processes, rounds
from gen_jax.core.axis import DATA_AXIS
from gen_jax.core.errors import UserError
from gen_jax.core.lines import counted
from gen_jax.core.types import Array, Batch, Round, State, Tree

Backend = Literal["auto", "jit", "sharded", "pmap", "shard_map"]
Update = Callable[[State, Round], tuple[State, dict[str, Array]]]
# (data, step, position within this call) -> a round's batches by stream, leaves [minibatches, local rows, ...]
Fetch = Callable[[Tree, Array, Array], Round]
# (state, data, count) -> (state after `count` rounds, metrics [capacity]; entries past `count` are zero)
Steps = Callable[[State, Tree, Array], tuple[State, dict[str, Array]]]
PROBED = "probe:"  # before the names of a probe's metrics; NaN in the rounds that it leaves out


class Probe(NamedTuple):
    """A look at the state after every `every`-th round: `look(state, minibatch, key)` gives scalars.

    The minibatch is the round's first of "train".
    """

    every: int
    look: Callable[[State, Batch, Array], dict[str, Array]]


class Layout(NamedTuple):
    """Which wrapper, over which devices. `mesh` is one axis, "data". `shards`: the state is split over it, too."""

    backend: str
    mesh: Mesh
    shards: bool = False

    @property
    def size(self) -> int:
        return self.mesh.size

    @property
    def replicated(self) -> NamedSharding:
        return NamedSharding(self.mesh, PartitionSpec())

    def of(self, leaf: Any) -> NamedSharding:
        """Where a leaf of the state lies: whole on every device, or, with `shards`, split along the largest axis that
        the number of devices divides, where there is one."""
        sides = [] if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else list(leaf.shape)
        fits = [side for side in sides if side and side % self.size == 0]
        if not self.shards or not fits:
            return self.replicated
        return NamedSharding(self.mesh, PartitionSpec(*[None] * sides.index(max(fits)), DATA_AXIS))


def layout(backend: Backend = "auto", devices: int | None = None, shard_state: bool = False) -> Layout:
    """The layout for `devices` devices (all of them by default; one under plain jit).

    Raises UserError where more devices are asked for than there are, and where several processes cannot be laid out so.
    """
    there = jax.devices()
    if processes.together():
        _refuse_apart(backend, devices, len(there))
    if devices is not None and not 1 <= devices <= len(there):
        raise UserError(
            f"--devices {devices}: this machine has {counted(len(there), f'{there[0].platform} device')}; "
            f"{f'ask for 1 to {len(there)}' if len(there) > 1 else 'leave it out'}"
        )
    if backend == "jit" and (devices or 1) > 1:
        raise UserError(f"--backend jit runs on one device, not {devices}; use --backend sharded, pmap or shard_map")
    count = 1 if backend == "jit" else devices or len(there)
    if shard_state and backend not in ("auto", "sharded"):
        raise UserError(f"--shard-state needs --backend sharded, which the compiler divides; not {backend}")
    several = "shard_map" if there[0].platform == "cpu" and not shard_state else "sharded"
    chosen = (several if count > 1 else "jit") if backend == "auto" else backend
    mesh = jax.make_mesh((count,), (DATA_AXIS,), devices=there[:count], axis_types=(AxisType.Auto,))
    return Layout(chosen, mesh, shard_state and count > 1)


def _refuse_apart(backend: Backend, devices: int | None, there: int) -> None:
    count = processes.count()
    if backend in ("jit", "pmap"):
        raise UserError(f"--backend {backend} runs in one process, not {count}; use --backend sharded or shard_map")
    if devices is not None and devices != there:
        raise UserError(f"--devices {devices}: {count} processes have {there} devices and use all; leave it out")
    if there % count:
        raise UserError(f"{count} processes have {there} devices between them: give each as many as the others")


def many_steps(
    update: Update, fetch: Fetch, layout: Layout, capacity: int, streamed: bool, probe: Probe | None = None
) -> Steps:
    """Up to `capacity` rounds in one program, donated state, no host round trip in between.

    The number of rounds is a traced argument, so that a run whose length or resume point is no multiple of
    `capacity` still compiles once. `streamed`: the data argument holds this call's batches, leaves
    [capacity, minibatches, rows, ...], split over devices by row; otherwise it is replicated (resident arrays). Of a
    `rounds.Drawn` fetch all that the call's rounds choose is chosen before the first.
    """

    def steps(state: State, data: Tree, count: Array) -> tuple[State, dict[str, Array]]:
        ahead = None
        if isinstance(fetch, rounds.Drawn):
            ahead = jax.vmap(partial(fetch.choose, data))(state.step + jnp.arange(capacity, dtype=jnp.int32))

        def batches(step: Array, position: Array, chosen: Tree) -> Round:
            if isinstance(fetch, rounds.Drawn):
                return local(fetch.take(data, chosen))
            return local(fetch(data, step, position))

        # jit inside jit keeps the trace: the shapes of the metrics are learnt without tracing the model twice.
        @jax.jit
        def one(state: State, position: Array, chosen: Tree) -> tuple[State, dict[str, Array]]:
            return settled(update(state, batches(state.step, position, chosen)))

        @jax.jit
        def see(state: State, position: Array, chosen: Tree) -> dict[str, Array]:
            assert probe is not None
            first = {name: leaf[0] for name, leaf in batches(state.step - 1, position, chosen)["train"].items()}
            key = keys.named(jax.random.fold_in(state.key, state.step), "probe")
            return {PROBED + name: value for name, value in probe.look(state, first, key).items()}

        glance = None if probe is None else rounds.Glance(probe.every, see)
        return rounds.loop(one, state, count, capacity, ahead, glance)

    def settled(after: tuple[State, dict[str, Array]]) -> tuple[State, dict[str, Array]]:
        if not layout.shards:
            return after
        state, metrics = after
        return jax.tree.map(lambda leaf: jax.lax.with_sharding_constraint(leaf, layout.of(leaf)), state), metrics

    def local(batches: Round) -> Round:
        if layout.backend != "sharded":
            return batches
        return jax.lax.with_sharding_constraint(batches, NamedSharding(layout.mesh, PartitionSpec(None, DATA_AXIS)))

    return wrap(steps, layout, PartitionSpec(None, None, DATA_AXIS) if streamed else PartitionSpec())


def wrap(steps: Callable[..., Any], layout: Layout, data: PartitionSpec) -> Any:
    """`steps(state, data, count)` under the layout's backend; `data` says how the second argument is split."""
    whole = PartitionSpec()
    if layout.backend == "jit":
        return jax.jit(steps, donate_argnums=0)
    if layout.backend == "sharded":
        split, held = NamedSharding(layout.mesh, data), None if layout.shards else layout.replicated
        given, made = (held, split, layout.replicated), (held, layout.replicated)
        return jax.jit(steps, donate_argnums=0, in_shardings=given, out_shardings=made)
    if layout.backend == "shard_map":
        # check_vma=True would sum the gradients of replicated parameters by itself, and the engine's mean would
        # leave them as many times too large as there are devices.
        mapped = jax.shard_map(steps, mesh=layout.mesh, in_specs=(whole, data, whole), out_specs=whole, check_vma=False)
        return jax.jit(mapped, donate_argnums=0)
    where = list(data).index(DATA_AXIS) if DATA_AXIS in data else None
    return jax.pmap(
        steps,
        DATA_AXIS,
        in_axes=(None, where, 0),  # pmap wants something to map over even when all data is replicated: the count
        out_axes=None,  # pyright: ignore[reportArgumentType]
        donate_argnums=0,
        devices=list(layout.mesh.devices.flat),
    )


@lru_cache(maxsize=16)
def place_count(count: int, layout: Layout) -> Array:
    """The `count` argument of `Steps` on the layout's devices; kept, since most calls run as many steps as the last."""
    if layout.backend == "pmap":
        return jax.device_put(
            np.full(layout.size, count, np.int32), NamedSharding(layout.mesh, PartitionSpec(DATA_AXIS))
        )
    return place(np.int32(count), layout)


def place_state(state: State, layout: Layout) -> State:
    """The state on the layout's devices: replicated, or each leaf where `Layout.of` has it."""
    if layout.replicated.is_fully_addressable:
        return jax.device_put(state, jax.tree.map(layout.of, state) if layout.shards else layout.replicated)
    return jax.tree.map(lambda leaf: put(leaf, layout.of(leaf)), state)


def initial(init: Callable[[Array], State], key: Array, layout: Layout) -> State:
    """`init(key)` on the layout's devices. A state that is split is never whole on one."""
    if not layout.shards:
        return place_state(jax.jit(init)(key), layout)
    where = jax.tree.map(layout.of, jax.eval_shape(init, key))
    return jax.jit(init, out_shardings=where)(put(key, layout.replicated))


def place(tree: Tree, layout: Layout) -> Tree:
    """The tree on the layout's devices, one logical copy (replicated). Each process has the whole of it."""
    if layout.replicated.is_fully_addressable:
        return jax.device_put(tree, layout.replicated)
    return jax.tree.map(lambda leaf: put(leaf, layout.replicated), tree)


def put(value: Any, sharding: Any) -> Array:
    """An array that this process has the whole of, laid out. Where other processes hold a part, each puts its own,
    unasked: `device_put` would have them compare it first."""
    if sharding is None or sharding.is_fully_addressable:
        return jax.device_put(value, sharding)
    if isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(put(jax.random.key_data(value), sharding), impl=jax.random.key_impl(value))
    host = np.asarray(value)
    made = jax.make_array_from_callback(host.shape, sharding, lambda where: host[where])
    return _weak(made) if getattr(value, "weak_type", False) else made


def _weak(array: Array) -> Array:
    """The same, as a bare Python number whose type gives way."""
    return jax.jit(lambda: jnp.asarray(float(array)), out_shardings=array.sharding)()


def place_batches(batches: Tree, layout: Layout, batch_size: int) -> Tree:
    """Streamed batches, leaves [K, M, rows, ...] with this process's rows (`own_rows`) of the global batch, on the
    layout's devices, split by row."""
    if layout.backend == "pmap":
        # pmap maps over a leading device axis of the split dimension: [K, M, B, ...] -> [K, M, N, B / N, ...].
        batches = jax.tree.map(lambda v: v.reshape(*v.shape[:2], layout.size, -1, *v.shape[3:]), batches)
    split = NamedSharding(layout.mesh, PartitionSpec(None, None, DATA_AXIS))
    if split.is_fully_addressable:
        return jax.device_put(batches, split)

    def join(rows: np.ndarray) -> Array:
        return jax.make_array_from_process_local_data(split, rows, (*rows.shape[:2], batch_size, *rows.shape[3:]))

    return jax.tree.map(join, batches)


def own_rows(layout: Layout, batch_size: int) -> np.ndarray | None:
    """The positions in the global batch that this process's devices hold, int [rows]; None: all."""
    split = NamedSharding(layout.mesh, PartitionSpec(DATA_AXIS))
    if split.is_fully_addressable:
        return None
    held = split.addressable_devices_indices_map((batch_size,))
    return np.unique(np.concatenate([np.arange(batch_size)[where] for where in held.values() if where]))


def local(tree: Tree) -> Tree:
    """The tree for this process to look at without the others, on each of its devices. All of them have to ask for it,
    since what is split over them is put together: on the host, a leaf at a time."""
    return jax.tree.map(lambda leaf: leaf if leaf.is_fully_addressable else _own(leaf), tree)


def _own(leaf: Array) -> Array:
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(_own(jax.random.key_data(leaf)), impl=jax.random.key_impl(leaf))
    if leaf.is_fully_replicated:
        held = [shard.data for shard in leaf.addressable_shards]
        mesh = Mesh(np.array([part.device for part in held]), (DATA_AXIS,), axis_types=(AxisType.Auto,))
        return jax.make_array_from_single_device_arrays(leaf.shape, NamedSharding(mesh, PartitionSpec()), held)
    whole = NamedSharding(leaf.sharding.mesh, PartitionSpec())  # pyright: ignore[reportAttributeAccessIssue]
    return np.asarray(jax.jit(lambda x: x, out_shardings=whole)(leaf))  # pyright: ignore[reportReturnType]


def whole_rows(count: int) -> int:
    """`count`, rounded up to a multiple of the number of devices: rows that `spread` can deal out evenly."""
    return -(-count // jax.local_device_count()) * jax.local_device_count()


def spread(rows: np.ndarray) -> Tree:
    """An array [B, ...], B from `whole_rows`, split by row over this process's devices: a compiled function of it runs
    on all of them."""
    mesh = jax.make_mesh(
        (jax.local_device_count(),), (DATA_AXIS,), devices=jax.local_devices(), axis_types=(AxisType.Auto,)
    )
    return jax.device_put(rows, NamedSharding(mesh, PartitionSpec(DATA_AXIS)))


ordered.install()
