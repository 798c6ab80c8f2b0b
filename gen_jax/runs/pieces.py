"""A state that is split over devices, as pieces: what a process holds of each leaf, digested and checked by itself.

No process ever has the whole of such a state. So its checkpoint is written by shard (Orbax), its record lists the
pieces with the SHA-256 of each, its digest is taken over that list, and whoever reads it checks a piece at a time.
"""

import hashlib
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from gen_jax.core.types import State
from gen_jax.runs import state_arrays

Read = Callable[[Sequence[str], tuple[slice, ...]], np.ndarray]  # of a leaf's path, the part at these places


class Piece(NamedTuple):
    """A part of one leaf: JSON, as a checkpoint's record has it."""

    leaf: int  # its number in tree order
    where: list[list[int]]  # [start, stop] of each axis of the stored array
    digest: str  # SHA-256 of its bytes, hex

    @property
    def place(self) -> tuple[slice, ...]:
        return tuple(slice(*each) for each in self.where)


def arrays_of(state: State) -> list[jax.Array]:
    """The state's leaves in tree order, as they are stored: keys by their key data. All processes have to ask."""
    leaves = jax.tree.leaves(state)
    return [jax.random.key_data(leaf) if state_arrays.is_key(leaf) else leaf for leaf in leaves]


def own(arrays: Sequence[jax.Array]) -> list[Piece]:
    """What this process writes of them: of what several devices hold alike, one piece, of the first of them."""
    found = []
    for number, array in enumerate(arrays):
        for shard in array.addressable_shards if array.size else ():
            if shard.replica_id == 0:
                where = [list(part.indices(size)[:2]) for part, size in zip(shard.index, array.shape, strict=True)]
                found.append(Piece(number, where, _sha(np.asarray(shard.data))))
    return found


def digest_of(record: state_arrays.Record, pieces: Sequence[Sequence[Any]]) -> str:
    """SHA-256 (hex) over what the leaves are and the digests of their pieces, in the order of leaves and places."""
    total = hashlib.sha256()
    for leaf in record:
        total.update(f"{'/'.join(leaf['path'])} {leaf['dtype']} {tuple(leaf['shape'])}\n".encode())
    for piece in in_order(pieces):
        total.update(f"{piece.leaf} {piece.where} {piece.digest}\n".encode())
    return total.hexdigest()


def complete(arrays: Sequence[jax.Array], pieces: Sequence[Sequence[Any]]) -> bool:
    """Whether the pieces of all processes are the whole of these arrays, each value once."""
    held = [0] * len(arrays)
    for piece in in_order(pieces):
        held[piece.leaf] += math.prod(stop - start for start, stop in piece.where)
    return held == [array.size for array in arrays]


def in_order(pieces: Sequence[Sequence[Any]]) -> list[Piece]:
    """Pieces of any processes, as JSON has them, in the order of leaves and places."""
    return sorted((Piece(*piece) for piece in pieces), key=lambda piece: (piece.leaf, piece.where))


def check(record: state_arrays.Record, pieces: Sequence[Sequence[Any]], read: Read, share: slice = slice(None)) -> None:
    """Read pieces, those of this share of the list, one at a time. Raises ValueError where one is not what it was."""
    for piece in in_order(pieces)[share]:
        if _sha(read(record[piece.leaf]["path"], piece.place)) != piece.digest:
            raise ValueError("its content does not match its digest")


def of_arrays(record: state_arrays.Record, arrays: Sequence[np.ndarray]) -> Read:
    """A reader of arrays that are there whole."""
    by_path = {tuple(leaf["path"]): array for leaf, array in zip(record, arrays, strict=True)}
    return lambda path, where: by_path[tuple(path)][where]


def _sha(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data).hexdigest()
