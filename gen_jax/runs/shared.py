"""A run folder of several processes: the leader claims and writes it, the others see that it is the same one."""

import contextlib
import secrets
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jax

from gen_jax.core import processes, vigil
from gen_jax.core.starting import Asked
from gen_jax.runs.exits import Interrupted, explained
from gen_jax.runs.signals import Signals

SHARED_SECONDS = 30.0  # until a file that the leader wrote is seen elsewhere: NFS keeps folders that long
VIEW = "view of the run folder"
HINTS = {
    "configuration": "give all of them the same command",
    "code": "the script and its modules must be the same files on all machines",
    "data": "the data set must be the same on all machines",
    "versions": "install the same packages on all machines",
    "devices of a process": "give each as many as the others",
    "state": "their processors or packages differ; continue from a checkpoint, or use machines of one kind",
}


@contextlib.contextmanager
def joined(how: Asked | None) -> Iterator[None]:
    """A block in which this process trains with others; `how` None: alone. They end together, whichever way."""
    if how is None:
        yield
        return
    processes.start(how)
    vigil.keep()
    try:
        yield
    except (Interrupted, SystemExit):
        vigil.over()
        raise
    except BaseException as error:
        line, status = explained(error) if isinstance(error, Exception) else ("interrupted", 130)
        if line is None and not vigil.broken(error):
            traceback.print_exc()
        vigil.fail(error, line or f"error: {type(error).__name__}: {error}", status)
        raise
    vigil.over()


def agree(of: Mapping[str, Any], versions: Mapping[str, str], continues: bool) -> None:
    """Raises UserError, on every process, unless all train the same: `of` as `identity.of` makes it."""
    words = {
        "configuration": dict(of["settings"]),
        "code": dict(of["code"]),
        "data": {name: of["data"][name] for name in ("name", "fingerprint", "train", "test")},
        "versions": {name: versions.get(name) for name in ("gen_jax", "jax", "jaxlib", "flax", "optax", "numpy")},
        "devices of a process": jax.local_device_count(),
        "kind of device": jax.local_devices()[0].device_kind,
        VIEW: "a run to continue" if continues else "a new run",
    }
    processes.agree("beginning", words, HINTS)


@contextlib.contextmanager
def begun(run_dir: Path, begin: Callable[[], Any]) -> Iterator[None]:
    """The folder for the length of a block: begun by the leader, seen by all. Raises UserError, on every process, where
    one does not see it."""
    if not processes.together():
        with begin():
            yield
        return
    with begin() if processes.leader() else contextlib.nullcontext():
        token = run_dir / f".shared-{secrets.token_hex(8)}.tmp"
        if processes.leader():
            token.write_text("")
        try:
            name = processes.said("folder", token.name)
            seen = _appears(run_dir / name)
            view = "it is there" if seen else f"{name} is not there"
            advice = f"{run_dir} is not on a disk that all share, or not under this path; give a --run-dir that is"
            processes.agree("shared", {VIEW: view}, {VIEW: advice})
        finally:
            if processes.leader():
                token.unlink(missing_ok=True)
        yield


def _appears(path: Path) -> bool:
    until = time.monotonic() + SHARED_SECONDS
    while not path.exists():
        if time.monotonic() > until:
            return False
        with contextlib.suppress(OSError):
            list(path.parent.iterdir())  # makes NFS look again
        time.sleep(0.1)
    return True


def word(turn: int, signals: Signals, asked: int | None, rounds: int) -> tuple[int, int]:
    """(the signal that all stop for after this call, or 0; the most rounds of the next call): the leader's word."""
    said = processes.decide(turn, {"stop": signals.received or asked or 0, "rounds": rounds})
    return said["stop"], said["rounds"]


def same_state(step: int, digest: Callable[[], str]) -> None:
    """Raises UserError, on every process, unless all begin at this step with the same values."""
    if processes.together():
        processes.agree("state", {"state": f"{step} {digest()}"}, HINTS)
