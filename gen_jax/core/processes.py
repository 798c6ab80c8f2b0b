"""Several processes, one run: how they start and find each other, and what they say to each other beside XLA.

`jax.distributed` joins them; its key-value store, held by process 0, carries the few words that training needs: which
configuration each has, how many rounds the next call runs, whether somebody was asked to stop. Process 0, the leader,
decides and alone writes. Every wait has a limit, and `core.vigil` watches that all live.
"""

import contextlib
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax

from gen_jax.core import lines
from gen_jax.core.errors import SystemFault, UserError
from gen_jax.core.starting import Asked

WAIT = 60.0  # seconds in which all processes have to come, or GEN_JAX_WAIT
_ASKED = ("key_value_set", "blocking_key_value_get", "key_value_dir_get", "key_value_delete", "wait_at_barrier")
LONG = 24 * 3600.0  # of a wait that `core.vigil` ends, where somebody is gone
ROOT = "gen_jax/"  # of our keys


class _Group(NamedTuple):
    client: Any
    own: int
    number: int
    coordinator: str


_group: _Group | None = None


def count() -> int:
    """How many processes train together; 1 where none was started."""
    return _group.number if _group else 1


def index() -> int:
    """The number of this one."""
    return _group.own if _group else 0


def leader() -> bool:
    """Whether this process decides and writes: process 0, or the only one."""
    return index() == 0


def together() -> bool:
    return count() > 1


def store() -> Any:
    """The key-value store of all. Only where `together`."""
    assert _group is not None
    return _group.client


def coordinator() -> str:
    """HOST:PORT; "" for a process alone."""
    return _group.coordinator if _group else ""


def start(how: Asked) -> None:
    """Join the others, before the first array is made. Raises UserError where they do not come in time."""
    global _group
    seconds = float(os.environ.get("GEN_JAX_WAIT", WAIT))
    jax.config.update("jax_enable_preemption_service", False)  # it would take SIGTERM from `runs.signals`
    if jax.config.values["jax_cpu_collectives_implementation"] in (None, ""):
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
    if not how.auto and how.process:
        _reach(how.coordinator, seconds)
    given = {} if how.auto else {"coordinator_address": how.coordinator, "num_processes": how.processes,
                                 "process_id": how.process, "cluster_detection_method": "deactivate"}  # fmt: skip
    if lines.muted():
        _quiet()  # XLA ends a process that waits in vain with pages of its own
    try:
        with _in_time(how, seconds):
            # A limit beyond ours: at its own XLA does not raise an error, but aborts the process.
            jax.distributed.initialize(
                **given, initialization_timeout=int(2 * seconds) + 60, shutdown_timeout_seconds=60
            )
    except ValueError as error:
        raise UserError(
            f"--distributed auto: neither SLURM, Open MPI nor a TPU is seen here ({lines.one_line(error)}); "
            "give --coordinator HOST:PORT, --processes N and --process I"
        ) from None
    except Exception as error:
        raise _heard(_why(how, error)) from None
    _group = _joined()
    if not leader() and not lines.muted():
        lines.mute()
        _quiet()
    if not leader():
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # one voice on standard output, too


@contextlib.contextmanager
def _in_time(how: Asked, seconds: float) -> Iterator[None]:
    """A block that ends the process, with a line and status 2, where it takes longer: nothing is begun yet."""

    def end() -> None:
        lines.say(
            f"error: of {how.processes or 'all'} processes not all came to {how.coordinator or 'the coordinator'} "
            f"within {seconds:.0f} s; start them together, each with its own number (GEN_JAX_WAIT=SECONDS waits longer)"
        )
        os._exit(2)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _quiet() -> None:
    """Keep XLA's own lines from standard error, of which each process has pages when the coordinator goes; Python's
    stay."""
    if not os.environ.get("GEN_JAX_TRACEBACK"):
        sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _joined() -> _Group:
    """What `jax.distributed` knows of the processes that it has joined.

    The only name of JAX's private modules in gen_jax: the public interface has no key-value store, and the barriers of
    `jax.experimental.multihost_utils` have no limit. Raises UserError where a version of JAX keeps it elsewhere.
    """
    try:
        from jax._src import distributed

        state = distributed.global_state
        for name in _ASKED:
            getattr(state.client, name)
        return _Group(state.client, state.process_id, state.num_processes, state.coordinator_address or "")
    except (ImportError, AttributeError) as error:
        raise UserError(
            f"jax {jax.__version__} has its key-value store where several processes do not find it "
            f"({lines.one_line(error)}); train in one process, or with jax 0.10"
        ) from None


def _reach(address: str, seconds: float) -> None:
    """Wait for the coordinator's port. Raises UserError where nobody answers there."""
    host, _, port = address.rpartition(":")
    until = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=min(seconds, 5.0)).close()
            return
        except OSError as error:
            if time.monotonic() > until:
                why = error.strerror or str(error)
                raise _heard(
                    f"the coordinator {address} does not answer for {seconds:.0f} s ({why}): is process 0 running "
                    "there, and its port open?"
                ) from None
        time.sleep(0.2)


def _heard(text: str) -> UserError:
    """An error that each process has for itself, so each tells it."""
    lines.mute(False)
    return UserError(text)


def _why(how: Asked, error: Exception) -> str:
    text = lines.one_line(error)
    if "in use" in text:
        return f"--coordinator {how.coordinator}: another process listens on this port; choose another"
    if "already exists" in text.lower() or "ALREADY_EXISTS" in text:
        return f"--process {how.process}: another process has this number already; give each its own"
    return f"the processes could not be joined ({text[:300]})"


# ---- words -----------------------------------------------------------------------------------------------------------


def put(key: str, value: Any) -> None:
    """Say something to all; a later word replaces an earlier one."""
    store().key_value_set(ROOT + key, json.dumps(value), allow_overwrite=True)


def get(key: str, seconds: float = LONG) -> Any:
    """What was said under a key, waiting for it. Raises SystemFault where it is not said in time."""
    try:
        return json.loads(store().blocking_key_value_get(ROOT + key, int(seconds * 1000)))
    except Exception as error:
        raise SystemFault(f"the other processes did not answer within {seconds:.0f} s ({_short(error)})") from None


def listing(folder: str) -> dict[str, Any]:
    """All that was said under a folder of keys, by the rest of the key."""
    found = store().key_value_dir_get(f"{ROOT}{folder}/")
    return {key.rpartition("/")[2]: json.loads(value) for key, value in found}


def everyone(name: str, mine: Any) -> list[Any]:
    """What each process says under this name, in the order of processes. Returns once all have said it."""
    if not together():
        return [mine]
    put(f"{name}/{index()}", mine)
    return [get(f"{name}/{number}") for number in range(count())]


def forget(name: str) -> None:
    """What this process said to `everyone` under a name takes no more room. Only where all have heard it."""
    if together():
        store().key_value_delete(f"{ROOT}{name}/{index()}")


def meet(name: str, seconds: float = LONG) -> None:
    """Return once all processes have come here. The name is used once a run. A process alone returns at once."""
    if together():
        try:
            store().wait_at_barrier(ROOT + name, int(seconds * 1000))
        except Exception as error:
            raise SystemFault(f"not all processes came to '{name}' within {seconds:.0f} s ({_short(error)})") from None


def agree(name: str, mine: Mapping[str, Any], hints: Mapping[str, str] | None = None) -> None:
    """Raises UserError, on every process, unless all say the same. `hints`: what to do about a word that differs."""
    if not together():
        return
    put(f"{name}/{index()}", dict(mine))
    if leader():
        wrong = next((line for other in range(1, count()) if (line := _unlike(mine, name, other, hints or {}))), "")
        put(f"{name}-verdict", wrong)
    else:
        wrong = get(f"{name}-verdict")
    if wrong:
        raise UserError(wrong)


def _unlike(mine: Mapping[str, Any], name: str, other: int, hints: Mapping[str, str]) -> str:
    theirs = get(f"{name}/{other}")
    for word, value in mine.items():
        if theirs.get(word) != json.loads(json.dumps(value)):
            hint = hints.get(word, "start all processes with the same command")
            return f"process {other} has another {word} than process 0 ({_apart(value, theirs.get(word))}); {hint}"
    return ""


def _apart(mine: Any, theirs: Any) -> str:
    if isinstance(mine, Mapping) and isinstance(theirs, Mapping):
        for key in sorted({*mine, *theirs}):
            if mine.get(key) != theirs.get(key):
                return f"{key}: {_apart(mine.get(key), theirs.get(key))}"
    return f"{_cut(theirs)} there, {_cut(mine)} here"


def _cut(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def decide(turn: int, word: Any) -> Any:
    """The leader's word for this turn: what it gives, others get, whatever they give."""
    if not together():
        return word
    if not leader():
        return get(f"turn/{turn}")
    put(f"turn/{turn}", word)
    if turn >= 8:  # all have heard it: nobody is more than two calls behind
        store().key_value_delete(f"{ROOT}turn/{turn - 8}")
    return word


def said(key: str, word: Any) -> Any:
    """`decide`, once a run."""
    if not together():
        return word
    if leader():
        put(key, word)
        return word
    return get(key)


def _short(error: Exception) -> str:
    return lines.one_line(error)[:200]


def topology() -> dict[str, Any]:
    """What the manifest says of processes and devices."""
    return {
        "processes": count(),
        "coordinator": coordinator(),
        "devices_each": len(jax.local_devices()),
        "devices": len(jax.devices()),
    }
