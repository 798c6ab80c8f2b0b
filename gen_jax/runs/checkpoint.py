"""Checkpoints of a run: saved in the background, verified when read.

A checkpoint holds the state's leaves as named host arrays plus a small record with the SHA-256 of all of them. Host
copies are what makes asynchronous saving safe with donation (the training step may overwrite its buffers at once) and
the file free of any device layout (what four devices wrote, one continues). The digest is what makes damage visible:
the storage format does not notice every flipped bit, and a half-written folder can look whole. And a checkpoint is
believed once it has been read back: its index after every save, all of it after the first of a sitting.
"""

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.core.lines import say
from gen_jax.core.types import State
from gen_jax.runs import orbax_folder, orbax_noise, state_arrays
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
    warn: Callable[[str], None] | None = None,
) -> Iterator["Checkpoints"]:
    """The checkpoints in `run_dir/checkpoints`. Leaving the block waits for a save that is under way.

    The newest `keep` are kept, and the one whose `best_metric` is best, if a metric is named. `writable=False` is for
    tools that look at a run, which may be training at this moment: nothing is created, cleaned up or deleted.
    `warn` takes one line for the person (standard error by default).
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
    checkpoints = Checkpoints(folder, policy, orbax_folder.manager(folder, policy) if writable else None, warn)
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


@dataclass(frozen=True)
class Checkpoints:
    """An open checkpoint folder; see `open_checkpoints`."""

    folder: Path
    policy: LastAndBest
    manager: Any  # orbax CheckpointManager; None when the folder is only looked at
    warn: Callable[[str], None]
    # Orbax tells a failed save once to each thread that waits for it: so one thread does all the waiting.
    writer: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "checkpoint"))
    pending: list[Future] = field(default_factory=list)  # the save that is under way, if any
    verified: list[int] = field(default_factory=list)  # steps that were read back whole

    def save(self, state: State, step: int, metrics: Mapping[str, float] | None = None) -> None:
        """Copy the state to the host, then write it in the background; the state may be donated once this returns.

        Waits for the save before, and raises `UserError` if that one failed (full disk, no permission). Checkpoints
        of this step and later ones belong to a future that was given up (a damaged one was fallen back from): they go.
        """
        if self.manager is None:
            raise ValueError("these checkpoints were opened with writable=False")
        self.wait()
        with self._clear():
            for later in [other for other in self.steps() if other >= step]:
                if later in self.manager.all_steps():
                    self.manager.delete(later)
                shutil.rmtree(self.folder / str(later), ignore_errors=True)  # too damaged for Orbax to know it
            self.policy.values[step] = finite(metrics)
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
        first leaf that differs).
        """
        steps = self.steps()
        if step is not None:
            if step not in steps:
                raise UserError(f"{self.folder} has no checkpoint of step {step}; it has {_listing(steps)}")
            steps = [step]
        if not steps:
            raise UserError(f"{self.folder} holds no checkpoint yet; train first")
        for candidate in reversed(steps):
            try:
                record, arrays = orbax_folder.read(self.folder, candidate)
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
            rebuilt = state_arrays.rebuild(template, record, arrays, sharding, str(self.folder / str(candidate)))
            return rebuilt, candidate
        raise UserError(f"the checkpoints in {self.folder} were replaced while reading; try again")

    def _write(self, step: int, record: list[dict[str, Any]], arrays: list[np.ndarray]) -> None:
        """All of a save, in the background: the training goes on meanwhile."""
        self._hand_over(step, record, arrays)
        self._finished()
        try:
            if self.verified:
                orbax_folder.read_index(self.folder, step, sum(array.size > 0 for array in arrays))
            else:
                orbax_folder.read(self.folder, step)
                self.verified.append(step)
        except Exception as error:
            raise UserError(
                f"the checkpoint of step {step} in {self.folder} was written and cannot be read back ({_line(error)}); "
                "look at that disk, then give the command again"
            ) from error

    def _hand_over(self, step: int, record: list[dict[str, Any]], arrays: list[np.ndarray]) -> None:
        """What Orbax does before it returns, and the digest: most of the time that a small model's save takes."""
        orbax_folder.hand_over(self.manager, step, record, arrays, self.policy.values[step])

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
