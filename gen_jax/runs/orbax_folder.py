"""Checkpoint folders on the disk: what is asked of Orbax, and only here."""

from pathlib import Path
from typing import Any

import numpy as np

from gen_jax.core import processes
from gen_jax.core.errors import UserError
from gen_jax.runs import state_arrays
from gen_jax.runs.retention import LastAndBest


def manager(folder: Path, policy: LastAndBest):
    from orbax.checkpoint import CheckpointManager, CheckpointManagerOptions

    try:
        folder.mkdir(parents=True, exist_ok=True)
        options = CheckpointManagerOptions(
            preservation_policy=policy,
            cleanup_tmp_directories=True,  # left by a process that was killed while saving
            lightweight_initialize=True,  # a damaged old checkpoint must not stop us from opening the folder
            create=False,  # it is there, and Orbax would have all processes make it
            **_alone(),
        )
        return CheckpointManager(folder, options=options, item_names=("state", "meta"))
    except OSError as error:
        raise UserError(f"cannot write checkpoints in {folder}: {error.strerror or error}") from error


def hand_over(manager: Any, step: int, record: state_arrays.Record, arrays: list[np.ndarray], metrics: Any) -> None:
    """What Orbax does before it returns, and the digest."""
    from orbax.checkpoint import args

    meta = {"step": step, "digest": state_arrays.digest_of(record, arrays), "leaves": record, "metrics": metrics}
    items = args.Composite(state=args.StandardSave(state_arrays.nest(record, arrays)), meta=args.JsonSave(meta))
    manager.save(step, args=items, force=True)


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


def read(folder: Path, step: int) -> tuple[list[dict[str, Any]], list[np.ndarray]]:
    """The record and the arrays of a checkpoint. Raises anything at all if it is damaged."""
    from orbax.checkpoint import args

    stored = _restore_item(folder, step, state=args.StandardRestore(), meta=args.JsonRestore())
    record = stored["meta"]["leaves"]
    arrays = state_arrays.unnest(record, stored["state"])
    if state_arrays.digest_of(record, arrays) != stored["meta"]["digest"]:
        raise ValueError("its content does not match its digest")
    return record, arrays


def read_index(folder: Path, step: int, count: int) -> None:
    """Look for the entries of `count` arrays in a checkpoint's index. Raises anything at all if it lacks some."""
    import tensorstore

    base = {"driver": "file", "path": f"{folder / str(step) / 'state'}/"}
    keys = tensorstore.KvStore.open({"driver": "ocdbt", "base": base}).result().list().result()
    found = {key.rpartition(b"/")[0] for key in keys if not key.endswith(b"/.zarray")}
    described = {key.rpartition(b"/")[0] for key in keys if key.endswith(b"/.zarray")}
    if found != described or len(found) != count:
        raise ValueError(f"its index has {len(found & described)} of {count} arrays")
    meta(folder, step)
