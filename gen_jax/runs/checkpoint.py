"""Checkpoints of a run: saved in the background, verified when read.

A checkpoint holds the state's leaves as named host arrays plus a small record with the SHA-256 of all of them. Host
copies are what makes asynchronous saving safe with donation (the training step may overwrite its buffers at once) and
the file free of any device layout (what four devices wrote, one continues). The digest is what makes damage visible:
the storage format does not notice every flipped bit, and a half-written folder can look whole. And a checkpoint is
believed once it has been read back: its index after every save, all of it after the first of a sitting.
"""

import contextlib
import itertools
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gen_jax.core import processes, turns
from gen_jax.core.errors import UserError
from gen_jax.core.lines import say
from gen_jax.core.types import State
from gen_jax.runs import by_shard, orbax_folder, orbax_noise, state_arrays
from gen_jax.runs.files import out_of_space
from gen_jax.runs.paths import refuse_patterns
from gen_jax.runs.retention import LastAndBest, finite
from gen_jax.runs.state_arrays import digest

__all__ = ["Checkpoints", "digest", "open_checkpoints"]

FOLDER = "checkpoints"


@contextlib.contextmanager
def open_checkpoints(
    run_dir: str | Path,
    keep: int = 2,
    best_metric: str | None = None,
    *,
    lower_is_better: bool = True,
    writable: bool = True,
    split: bool = False,
    warn: Callable[[str], None] | None = None,
) -> Iterator["Checkpoints"]:
    """The checkpoints in `run_dir/checkpoints`. Leaving the block waits for a save that is under way.

    The newest `keep` are kept, and the one whose `best_metric` is best, if a metric is named. `writable=False` is for
    tools that look at a run, which may be training at this moment: nothing is created, cleaned up or deleted.
    `split`: the state is split over devices (`Layout.shards`), and each process writes what it has of it: all
    processes save together. `warn` takes one line for the person (standard error by default).
    """
    if writable:
        refuse_patterns(Path(run_dir))
    folder = Path(run_dir).resolve() / FOLDER
    warn = warn or say
    orbax_noise.hush()
    sign = -1.0 if lower_is_better else 1.0
    policy = LastAndBest(
        keep, best_metric, sign, {step: orbax_folder.metrics(folder, step) for step in orbax_folder.steps(folder)}
    )
    jointly = split and processes.together()
    manager = orbax_folder.manager(folder, policy, jointly) if writable else None
    checkpoints = Checkpoints(folder, policy, manager, warn, split)
    try:
        yield checkpoints
    except BaseException as reason:
        # The reason for leaving matters more than a save that failed on the way out.
        try:
            checkpoints.close()
        except Exception as error:
            if str(error) != str(reason):
                warn(_line(error))
        raise
    checkpoints.close()


# Orbax numbers the saves of a process, and waits for "the folder of the current one is there": of two at a time, as of
# runs that are one program, one writes into a folder that the other has not made yet, and both are lost.
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class Checkpoints:
    """An open checkpoint folder; see `open_checkpoints`."""

    folder: Path
    policy: LastAndBest
    manager: Any  # orbax CheckpointManager; None when the folder is only looked at
    warn: Callable[[str], None]
    split: bool = False
    # Orbax tells a failed save once to each thread that waits for it: so one thread does all the waiting.
    writer: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "checkpoint"))
    pending: list[Future] = field(default_factory=list)  # the save that is under way, if any
    turns: Iterator[int] = field(default_factory=itertools.count)  # of what all processes do together
    verified: list[int] = field(default_factory=list)  # steps that were read back whole

    def save(self, state: State, step: int, metrics: Mapping[str, float] | None = None) -> None:
        """Copy the state to the host, then write it in the background; the state may be donated once this returns.
        One that is split over devices is written before this returns: nobody has room for a copy.

        Waits for the save before, and raises `UserError` if that one failed (full disk, no permission). Checkpoints
        of this step and later ones belong to a future that was given up (a damaged one was fallen back from): they go.
        """
        if self.manager is None:
            raise ValueError("these checkpoints were opened with writable=False")
        self.wait()
        with self._clear():
            known = self.manager.all_steps()  # the same on all processes, whose looks at the disk may not be
            for later in sorted(other for other in {*known, *self.steps()} if other >= step):
                if later in known:
                    self.manager.delete(later)
                if processes.leader():  # too damaged for Orbax to know it
                    shutil.rmtree(self.folder / str(later), ignore_errors=True)
            self.policy.values[step] = finite(metrics)
            if self.split:
                self.writer.submit(self._write_by_shard, step, state).result()
            else:
                self.pending.append(self.writer.submit(self._write, step, *state_arrays.take(state)))

    def wait(self) -> None:
        """Return once nothing is being written. Raises `UserError` if the save under way failed, or wrote what cannot
        be read."""
        if self.manager is not None:
            with self._clear():
                self._handed_over()
                self.writer.submit(self._finished).result()

    def close(self) -> None:
        """Wait, then end the threads. `open_checkpoints` calls this."""
        if self.manager is not None:
            with self._clear():
                try:
                    self._handed_over()
                finally:
                    with self.writer:
                        self.writer.submit(self.manager.close).result()

    def steps(self) -> list[int]:
        """Steps with a finished checkpoint, ascending (finished, not verified)."""
        return orbax_folder.steps(self.folder)

    def best_step(self) -> int | None:
        """The finished checkpoint whose `best_metric` is best; None without a metric or a measurement."""
        return self.policy.best(self.steps())

    def digest(self, step: int | None = None) -> str:
        """The recorded digest of a checkpoint (the newest by default), without reading the arrays."""
        steps = self.steps() if step is None else [step]
        if not steps:
            raise UserError(f"{self.folder} holds no checkpoint yet; train first")
        try:
            return orbax_folder.meta(self.folder, steps[-1])["digest"]
        except Exception as error:
            raise UserError(
                f"the checkpoint of step {steps[-1]} in {self.folder} is damaged ({_line(error)})"
            ) from error

    def restore(
        self, template: State, step: int | None = None, sharding: state_arrays.Layout = None
    ) -> tuple[State, int]:
        """The newest sound checkpoint (or that of `step`), as `(state, step)`.

        `template` is a state or its `jax.eval_shape`; `sharding` says where every leaf goes, or a function of the leaf
        (the default device if None). What is read is verified against its digest, and the arrays are fresh buffers
        that can be donated. A damaged checkpoint is passed over with a warning. Raises `UserError` if there is none, if
        none is sound, if `step` itself is damaged or missing, or if the checkpoint is that of another model (naming the
        first leaf that differs). Of a split state all processes look for the steps that process 0 sees.
        """
        steps = turns.by_leader(self.steps) if self.split else self.steps()
        if step is not None:
            if step not in steps:
                raise UserError(f"{self.folder} has no checkpoint of step {step}; it has {_listing(steps)}")
            steps = [step]
        if not steps:
            raise UserError(f"{self.folder} holds no checkpoint yet; train first")
        for candidate in reversed(steps):
            try:
                record, arrays = self._read(candidate, template, sharding)
            except UserError:
                raise
            except Exception as error:
                if candidate not in self.steps():
                    continue  # the run that is training meanwhile has removed it as too old
                damaged = f"the checkpoint of step {candidate} is damaged ({_line(error)})"
                if candidate == steps[0]:
                    others = [other for other in self.steps() if other != candidate]
                    left = "no sound one is left; start a new run" if step is None else f"there is {_listing(others)}"
                    raise UserError(f"{damaged}; {left}") from error
                self.warn(f"{damaged}; falling back to an older one")
                continue
            state_arrays.refuse_other(template, record, str(self.folder / str(candidate)))
            return state_arrays.rebuild(template, arrays, sharding), candidate
        raise UserError(f"the checkpoints in {self.folder} were replaced while reading; try again")

    def _read(
        self, step: int, template: State, sharding: state_arrays.Layout
    ) -> tuple[state_arrays.Record, Sequence[Any]]:
        if self.split:
            return by_shard.read(self.folder, step, template, sharding, f"read/{next(self.turns)}")
        return orbax_folder.read(self.folder, step)

    def _write(self, step: int, record: state_arrays.Record, arrays: list[np.ndarray]) -> None:
        """All of a save, in the background: the training goes on meanwhile."""
        with _ONE_AT_A_TIME:
            self._hand_over(step, record, arrays)
            self._finished()
        with self._believed(step):
            if self.verified:
                orbax_folder.read_index(self.folder, step, sum(array.size > 0 for array in arrays))
            else:
                orbax_folder.read(self.folder, step)
                self.verified.append(step)

    def _write_by_shard(self, step: int, state: State) -> None:
        meta = by_shard.write(self.manager, step, state, self.policy.values[step], f"pieces/{next(self.turns)}")
        with self._believed(step):
            turns.by_all(lambda: self._read_back(step, meta))

    def _read_back(self, step: int, meta: dict[str, Any]) -> None:
        """The index of what was written by shard, or, the first time, this process's share of it."""
        if self.verified:
            orbax_folder.read_index(self.folder, step, sum(0 not in leaf["shape"] for leaf in meta["leaves"]))
        else:
            orbax_folder.check_pieces(self.folder, step, meta)
            self.verified.append(step)

    @contextlib.contextmanager
    def _believed(self, step: int) -> Iterator[None]:
        """A block that reads back what was written."""
        try:
            yield
        except Exception as error:
            raise UserError(
                f"the checkpoint of step {step} in {self.folder} was written and cannot be read back ({_line(error)}); "
                "look at that disk, then give the command again"
            ) from error

    def _hand_over(self, step: int, record: list[dict[str, Any]], arrays: list[np.ndarray]) -> None:
        """What Orbax does before it returns, and the digest: most of the time that a small model's save takes."""
        digest = state_arrays.digest_of(record, arrays)
        meta = {"step": step, "digest": digest, "leaves": record, "metrics": self.policy.values[step]}
        orbax_folder.hand_over(self.manager, step, state_arrays.nest(record, arrays), meta)

    def _finished(self) -> None:
        self.manager.wait_until_finished()
        self.manager.check_for_errors()

    def _handed_over(self) -> None:
        while self.pending:
            self.pending.pop().result()

    @contextlib.contextmanager
    def _clear(self) -> Iterator[None]:
        """Failures of the disk, also those of the saving threads, as one line."""
        try:
            yield
        except UserError:
            raise
        except Exception as error:
            kept = f"earlier checkpoints are kept ({_listing(self.steps())})"
            if out_of_space(error):
                raise UserError(f"no space left to write a checkpoint in {self.folder}; {kept}") from error
            if isinstance(error, OSError):
                raise UserError(f"cannot write a checkpoint in {self.folder}: {_line(error)}; {kept}") from error
            raise


def _listing(steps: list[int]) -> str:
    return ("step " if len(steps) == 1 else "steps ") + ", ".join(map(str, steps)) if steps else "none"


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 160 else text[:157] + "..."
