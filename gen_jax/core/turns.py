"""What processes do together, in turns: each says how it went, and process 0 says to all what came of it.

Who fails says so in the turn of the others, whichever that is; so all of them hear of it, and nobody waits for ever.
"""

import itertools
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from gen_jax.core import processes, vigil
from gen_jax.core.errors import UserError

Made = TypeVar("Made")


class Elsewhere(Exception):
    """Another process failed; the message names it and says how."""


def take(failed: Exception | None, made: str, **word: Any) -> dict[str, Any]:
    """A turn of something that all processes do together: what process 0 makes of the words of all. `failed`: what this
    process met on the way to it. `made`: what it made or asks, which is the same on all. Where one failed, all raise:
    it what it met, the others Elsewhere, or UserError where it is one."""
    verdict = _turn("part", failed, made=made, **word)
    if (error := failed or _other(verdict)) is not None:
        raise error
    return verdict


def by_leader(make: Callable[[], Any]) -> Any:
    """What process 0 makes, on every process: something that JSON can hold. Raises as `take` does."""
    if not processes.together():
        return make()
    # What JSON cannot hold fails here, in this turn, for which the others wait.
    made, failed = _tried(lambda: json.loads(json.dumps(make())) if processes.leader() else None)
    return take(failed, made="the leader's", value=made)["value"]


def by_all(do: Callable[[], object]) -> None:
    """What all processes do, each for itself; where one fails all raise, as in `take`."""
    if not processes.together():
        do()
        return
    take(_tried(do)[1], made="all")


def after_leader(make: Callable[[], Made]) -> Made:
    """What this process makes, the others than process 0 after it: what it leaves on a disk they find there. Raises as
    `take` does."""
    if not processes.together():
        return make()
    made, failed = _tried(lambda: make() if processes.leader() else None)
    take(failed, made="after the leader")
    return make() if made is None else made


def _tried(make: Callable[[], Made]) -> tuple[Made | None, Exception | None]:
    """What it makes, or the error that it met."""
    try:
        return make(), None
    except Exception as error:
        return None, error


def anyone(flag: bool) -> bool:
    """Whether it is so on any process. All have to ask."""
    if not processes.together():
        return flag
    return take(None, made="a flag", flag=flag)["flag"]


def ended(failed: Exception | None) -> Exception | None:
    """How something ended that all processes did together: with the error that this one met, if any, else with one that
    says how another failed, else with None. Who failed on the way answers here for what the others still do."""
    if not processes.together():
        return failed
    while True:
        verdict = _turn("end", failed)
        failed = failed or _other(verdict)
        if verdict["over"]:
            return failed


_turns = itertools.count()


def _turn(kind: str, failed: Exception | None, **word: Any) -> dict[str, Any]:
    """What process 0 makes of all words of this turn; every process takes part in every turn."""
    number = next(_turns)
    processes.put(f"dealt/{number}/{processes.index()}", {"kind": kind, **_complaint(failed), **word})
    with vigil.ahead():
        if not processes.leader():
            return processes.get(f"dealt/{number}/all")
        words = [processes.get(f"dealt/{number}/{other}") for other in range(processes.count())]
    verdict = _verdict(words)
    processes.put(f"dealt/{number}/all", verdict)
    if number:  # who speaks in this turn has heard the one before
        processes.store().key_value_delete(f"{processes.ROOT}dealt/{number - 1}")
    return verdict


def _complaint(failed: Exception | None) -> dict[str, Any]:
    if failed is None:
        return {"failed": ""}
    return {"failed": told(failed), "user": isinstance(failed, UserError), "heard": isinstance(failed, Elsewhere)}


def told(error: Exception) -> str:
    """An error in words: of what is written for people, the words alone."""
    return str(error) if isinstance(error, UserError | Elsewhere) else f"{type(error).__name__}: {error}"


def _verdict(words: Sequence[dict[str, Any]]) -> dict[str, Any]:
    parts = [word for word in words if word["kind"] == "part"]
    sound = [word.get("made") for word in parts if not word["failed"]]
    for word in words if parts else []:  # who is at the end of it, or made something else, has failed, too
        if not word["failed"] and (word["kind"] != "part" or word.get("made") != sound[0]):
            word["failed"] = "it does something else than the others"
    failing = [(number, word) for number, word in enumerate(words) if word["failed"]]
    by, what = min(failing, key=lambda each: each[1].get("heard", False), default=(0, {"failed": ""}))
    flag, value = any(word.get("flag", False) for word in words), words[0].get("value")
    return {"over": not parts, "by": by, "failed": what["failed"], "user": what.get("user", False), "flag": flag,
            "value": value}  # fmt: skip


def _other(verdict: dict[str, Any]) -> Exception | None:
    if not verdict["failed"]:
        return None
    line = f"process {verdict['by']}: {verdict['failed']}"
    return UserError(line) if verdict["user"] else Elsewhere(line)
