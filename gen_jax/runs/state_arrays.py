"""A state as named host arrays and back: what checkpoints store, and what the digest of a state is taken over."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from gen_jax.core.errors import UserError
from gen_jax.core.types import State

Layout = jax.sharding.Sharding | Callable[[Any], jax.sharding.Sharding] | None
Record = list[dict[str, Any]]  # one {"path": names, "dtype": ..., "shape": ...} a leaf, in tree order; JSON


def digest(state: State) -> str:
    """SHA-256 (hex) over every leaf of the state in tree order: path, dtype, shape, bytes; keys by their key data."""
    return digest_of(*take(state, copy=False))


def digest_of(record: Record, arrays: list[np.ndarray]) -> str:
    """The digest of what `take` returned."""
    total = hashlib.sha256()
    for leaf, array in zip(record, arrays, strict=True):
        total.update(f"{_name(leaf)} {leaf['dtype']} {tuple(leaf['shape'])} {array.shape}\n".encode())
        total.update(array.reshape(-1).view(np.uint8).data)
    return total.hexdigest()


def take(state: State, copy: bool = True) -> tuple[Record, list[np.ndarray]]:
    """What the leaves are and their values on the host, in tree order. Without `copy`, CPU arrays are views."""
    found = _leaves(state)
    for _, leaf in found:
        if not is_key(leaf) and isinstance(leaf, jax.Array):
            leaf.copy_to_host_async()
    hosted = (np.asarray(jax.random.key_data(leaf) if is_key(leaf) else leaf) for _, leaf in found)
    return record_of(state), [np.array(array, order="C", copy=copy or None) for array in hosted]


def record_of(state: State) -> Record:
    """The record of a state or of its `jax.eval_shape`."""
    return [{"path": path, "dtype": str(leaf.dtype), "shape": list(leaf.shape)} for path, leaf in _leaves(state)]


def nest(record: Record, arrays: Sequence[Any]) -> dict[str, Any]:
    """The arrays as nested dicts by path, without those that have no elements (Orbax refuses them)."""
    tree: dict[str, Any] = {}
    for leaf, array in zip(record, arrays, strict=True):
        if array.size:
            node = tree
            for name in leaf["path"][:-1]:
                node = node.setdefault(name, {})
            node[leaf["path"][-1]] = array
    return tree


def empty(leaf: Mapping[str, Any]) -> np.ndarray:
    """An array of no elements, as a record has it: it is not stored."""
    return np.zeros(leaf["shape"], np.dtype(leaf["dtype"]))


def unnest(record: Record, tree: Mapping[str, Any]) -> list[Any]:
    """The inverse of `nest`. Raises KeyError and the like where the tree is not that of the record."""
    arrays = []
    for leaf in record:
        node: Any = tree
        if 0 in leaf["shape"]:
            node = empty(leaf)
        else:
            for name in leaf["path"]:
                node = node[name]
        arrays.append(node if isinstance(node, jax.Array) else np.array(node, order="C", copy=None))
    return arrays


def refuse_other(template: State, record: Record, where: str) -> None:
    """Raises `UserError`, naming `where` and the first leaf that differs, where the record is not that of the
    template."""
    wanted = record_of(template)
    for mine, stored in zip(wanted, record, strict=False):
        if mine["path"] != stored["path"]:
            raise UserError(f"{where} is of another model: it has {_name(stored)} where this one has {_name(mine)}")
        if mine != stored:
            raise UserError(
                f"{where} is of another model: {_name(mine)} is {stored['dtype']}{stored['shape']} there and "
                f"{mine['dtype']}{mine['shape']} here"
            )
    if len(wanted) != len(record):
        longer, side = (wanted, "is missing there") if len(wanted) > len(record) else (record, "is only there")
        raise UserError(f"{where} is of another model: {_name(longer[min(len(wanted), len(record))])} {side}")


def wanted(template: State, sharding: Callable[[Any], jax.sharding.Sharding]) -> list[jax.ShapeDtypeStruct]:
    """The stored arrays of a state like the template, with where they go, in tree order."""

    def one(leaf: Any) -> jax.ShapeDtypeStruct:
        held = jax.eval_shape(jax.random.key_data, leaf) if is_key(leaf) else leaf
        return jax.ShapeDtypeStruct(held.shape, held.dtype, sharding=sharding(leaf))

    return [one(leaf) for leaf in jax.tree.leaves(template)]


def rebuild(template: State, arrays: Sequence[Any], sharding: Layout) -> State:
    """The state with these values, like the template, in fresh buffers laid out by `sharding`, of all or by leaf."""
    found = [leaf for _, leaf in _leaves(template)]

    def finish(arrays):  # copies, because a buffer that came from the host cannot be donated
        copies = [jnp.copy(array) for array in arrays]
        return [
            jax.random.wrap_key_data(copy, impl=leaf.dtype) if is_key(leaf) else copy
            for leaf, copy in zip(found, copies, strict=True)
        ]

    each = [sharding(leaf) if callable(sharding) else sharding for leaf in found]
    fresh = jax.jit(finish, out_shardings=each)(jax.device_put(arrays, each))
    fresh = [
        jax.device_put(jnp.asarray(_held(array).item()), place) if _is_weak_scalar(leaf) else new
        for leaf, array, new, place in zip(found, arrays, fresh, each, strict=True)
    ]
    return jax.tree.unflatten(jax.tree.structure(template), fresh)


def _held(array: Any) -> np.ndarray:
    """What this process holds of an array."""
    return np.asarray(array.addressable_data(0) if isinstance(array, jax.Array) else array)


def _is_weak_scalar(leaf) -> bool:
    """Whether the leaf came from a bare Python number, whose type gives way to others: that must survive, or bfloat16
    times a learning rate is float32 after resuming."""
    return getattr(leaf, "weak_type", False) and leaf.shape == () and leaf.dtype == jnp.asarray(0.0).dtype


def is_key(leaf: Any) -> bool:
    """Whether a leaf holds random keys, which are stored by their key data."""
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _leaves(tree) -> list[tuple[list[str], Any]]:
    """(path as names, leaf) in tree order."""
    flat, _ = jax.tree_util.tree_flatten_with_path(tree)
    return [([jax.tree_util.keystr((part,), simple=True) for part in path], leaf) for path, leaf in flat]


def _name(leaf: Mapping[str, Any]) -> str:
    return "/".join(leaf["path"])
