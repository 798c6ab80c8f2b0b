"""Checkpoints of a state that is split over devices (`Layout.shards`): each process writes and reads its own part.

All processes come together, say what pieces they hold, and hand them to Orbax; process 0 writes the record of all. The
files are anyone's: another layout, or one device, reads them too.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gen_jax.core import processes, vigil
from gen_jax.core.errors import UserError
from gen_jax.core.lines import one_line
from gen_jax.core.types import State
from gen_jax.runs import orbax_folder, pieces, state_arrays


def write(manager: Any, step: int, state: State, metrics: dict[str, float], name: str) -> dict[str, Any]:
    """Write the state, and return the record of it once all of it is on the disk; the state must not be donated before.

    `name` is used once a run. Raises whatever a disk raises.
    """
    arrays, record = pieces.arrays_of(state), state_arrays.record_of(state)
    held = pieces.in_order([piece for own in _everyone(name, pieces.own(arrays)) for piece in own])
    if not pieces.complete(arrays, held):
        raise ValueError(f"of step {step} the processes hold other pieces than all of the state, each once")
    meta = {"step": step, "digest": pieces.digest_of(record, held), "leaves": record, "pieces": held}
    orbax_folder.hand_over(manager, step, state_arrays.nest(record, arrays), {**meta, "metrics": metrics})
    manager.wait_until_finished()
    manager.check_for_errors()
    processes.forget(name)
    return meta


def read(
    folder: Path, step: int, template: State, sharding: state_arrays.Layout, name: str
) -> tuple[state_arrays.Record, Sequence[Any]]:
    """The record and the stored arrays of a state like the template, laid out where they were written by shard. What a
    process reads, and its share of all pieces, is checked.

    `name` is used once a run. Raises ValueError, on all processes, where one of them finds damage, and UserError where
    the checkpoint is that of another model.
    """
    record, arrays, wrong = [], [], ""
    try:
        meta = orbax_folder.meta(folder, step)
        if "pieces" in meta and callable(sharding):
            record = meta["leaves"]
            orbax_folder.refuse_list(meta)  # before it is believed that the model is another
            state_arrays.refuse_other(template, record, str(folder / str(step)))
            orbax_folder.check_pieces(folder, step, meta)
            arrays = orbax_folder.read_split(folder, step, meta, state_arrays.wanted(template, sharding))
        else:
            record, arrays = orbax_folder.read(folder, step)
    except UserError:
        raise
    except Exception as error:
        wrong = one_line(error) or type(error).__name__
    if found := [each for each in _everyone(name, wrong) if each]:
        raise ValueError(found[0])
    return record, arrays


def _everyone(name: str, mine: Any) -> list[Any]:
    """`processes.everyone`; who does not come, since its disk stands still, is named."""
    with vigil.ahead():
        return processes.everyone(name, mine)
