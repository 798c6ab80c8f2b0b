"""Checkpoint folders on the disk: what is asked of Orbax, and only here."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from gen_jax.core import processes
from gen_jax.core.errors import UserError
from gen_jax.runs import pieces, state_arrays
from gen_jax.runs.retention import LastAndBest


def manager(folder: Path, policy: LastAndBest, jointly: bool = False):
    """Orbax's, of this process alone, or of all processes together where they write jointly."""
    from orbax.checkpoint import AsyncOptions, CheckpointManager, CheckpointManagerOptions

    try:
        if processes.leader() or not jointly:
            folder.mkdir(parents=True, exist_ok=True)
        if jointly:
            processes.meet("checkpoints")
        options = CheckpointManagerOptions(
            preservation_policy=policy,
            cleanup_tmp_directories=True,  # left by a process that was killed while saving
            lightweight_initialize=True,  # a damaged old checkpoint must not stop us from opening the folder
            create=False,  # it is there, and Orbax would have all processes make it
            async_options=AsyncOptions(barrier_sync_fn=_meet) if jointly else None,
            **({} if jointly else _alone()),
        )
        return CheckpointManager(folder, options=options, item_names=("state", "meta"))
    except OSError as error:
        raise UserError(f"cannot write checkpoints in {folder}: {error.strerror or error}") from error


def hand_over(manager: Any, step: int, tree: Any, meta: dict[str, Any]) -> None:
    """What Orbax does before it returns. Of arrays that are split over devices each process hands over its own part,
    and all processes have to come."""
    from orbax.checkpoint import args

    items = args.Composite(state=args.StandardSave(tree), meta=args.JsonSave(meta))
    manager.save(step, args=items, force=True)


def _meet(*, key: str, timeout_ms: int) -> None:
    """Orbax's meeting of all processes, but of one that has failed to write its part: Orbax has it come to the last
    one, where it would wait twenty minutes for the others, which wait for it at the one before."""
    from orbax.checkpoint import multihost

    if (error := sys.exception()) is not None:
        raise error
    multihost.get_barrier_sync_fn()(key=key, timeout_ms=timeout_ms)


def _alone() -> dict[str, Any]:
    """Of several processes, this one acts for itself: Orbax would have all of them meet at every act."""
    if not processes.together():
        return {}
    from orbax.checkpoint.options import MultiprocessingOptions

    own = processes.index()
    return {"multiprocessing_options": MultiprocessingOptions(own, {own}, f"process{own}")}


def steps(folder: Path) -> list[int]:
    """Folders named by a step: saving renames them into place, so the name says finished (and only damage is else)."""
    if not folder.is_dir():
        return []
    return sorted(int(child.name) for child in folder.iterdir() if child.name.isdecimal() and child.is_dir())


def _restore_item(folder: Path, step: int, **items: Any):
    import orbax.checkpoint as ocp

    alone = _alone()
    handler = ocp.CompositeCheckpointHandler(composite_options=ocp.CompositeOptions(**alone))
    with ocp.Checkpointer(handler, **alone) as reader:
        return reader.restore(folder / str(step), args=ocp.args.Composite(**items))


def meta(folder: Path, step: int) -> dict[str, Any]:
    from orbax.checkpoint import args

    return _restore_item(folder, step, meta=args.JsonRestore())["meta"]


def metrics(folder: Path, step: int) -> dict[str, float]:
    try:
        return dict(meta(folder, step)["metrics"])
    except Exception:  # a damaged checkpoint is nobody's best; `restore` speaks about it
        return {}


def read(folder: Path, step: int) -> tuple[state_arrays.Record, list[np.ndarray]]:
    """The record and the arrays of a checkpoint, whole. Raises anything at all if it is damaged."""
    from orbax.checkpoint import args

    found = meta(folder, step)
    record = found["leaves"]
    if "pieces" in found:
        refuse_list(found)
        part = _parts(folder, step)
        arrays = [state_arrays.empty(leaf) if 0 in leaf["shape"] else part(leaf["path"], ()) for leaf in record]
        pieces.check(record, found["pieces"], pieces.of_arrays(record, arrays))
        return record, arrays
    arrays = state_arrays.unnest(record, _restore_item(folder, step, state=args.StandardRestore())["state"])
    if state_arrays.digest_of(record, arrays) != found["digest"]:
        raise ValueError("its content does not match its digest")
    return record, arrays


def read_split(folder: Path, step: int, meta: dict[str, Any], wanted: list[jax.ShapeDtypeStruct]) -> list[jax.Array]:
    """The arrays of a checkpoint of which `meta` is the record, each as and where it is wanted: a process reads what
    its devices hold. Raises anything at all if it is damaged."""
    from orbax.checkpoint import args

    tree = state_arrays.nest(meta["leaves"], wanted)
    stored = _restore_item(folder, step, state=args.StandardRestore(tree))["state"]
    return [
        array if isinstance(array, jax.Array) else jax.device_put(array, like.sharding)  # of no elements: not stored
        for array, like in zip(state_arrays.unnest(meta["leaves"], stored), wanted, strict=True)
    ]


def check_pieces(folder: Path, step: int, found: dict[str, Any]) -> None:
    """Read the pieces of a checkpoint, of which this is the record, that are this process's to read. Raises anything
    at all if they are damaged."""
    share = slice(processes.index(), None, processes.count())
    refuse_list(found)
    pieces.check(found["leaves"], found["pieces"], _parts(folder, step), share)


def refuse_list(found: dict[str, Any]) -> None:
    """Raises ValueError unless the list of pieces is what it was."""
    if pieces.digest_of(found["leaves"], found["pieces"]) != found["digest"]:
        raise ValueError("its list of pieces does not match its digest")


def _parts(folder: Path, step: int) -> pieces.Read:
    """A reader of parts of the arrays. Orbax reads them by a layout of devices; TensorStore, below it, by places."""
    import tensorstore

    base, kept = _kvstore(folder, step), {}  # the leaf that is open

    def part(path: Sequence[str], where: tuple[slice, ...]) -> np.ndarray:
        name = ".".join(path)
        if name not in kept:
            kept.clear()
            store = {"driver": "ocdbt", "base": base, "path": f"{name}/"}
            kept[name] = tensorstore.open({"driver": "zarr", "kvstore": store}).result()
        return kept[name][where].read().result()

    return part


def read_index(folder: Path, step: int, count: int) -> None:
    """Look for the entries of `count` arrays in a checkpoint's index. Raises anything at all if it lacks some."""
    import tensorstore

    store = {"driver": "ocdbt", "base": _kvstore(folder, step)}
    keys = tensorstore.KvStore.open(store).result().list().result()
    found = {key.rpartition(b"/")[0] for key in keys if not key.endswith(b"/.zarray")}
    described = {key.rpartition(b"/")[0] for key in keys if key.endswith(b"/.zarray")}
    if found != described or len(found) != count:
        raise ValueError(f"its index has {len(found & described)} of {count} arrays")
    meta(folder, step)


def _kvstore(folder: Path, step: int) -> dict[str, str]:
    """Where TensorStore finds the arrays of a checkpoint; by its path, since in a URL %, # and spaces are no names."""
    return {"driver": "file", "path": f"{folder / str(step) / 'state'}/"}
