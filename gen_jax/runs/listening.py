"""Which settings a script's `build` reads: one that was given and that nothing reads is refused, not ignored."""

import copy
import dataclasses
from typing import Any

from gen_jax.core import domains
from gen_jax.core.errors import UserError
from gen_jax.runs.config import Config

FOR_BUILD = ("precision",)  # of the settings that all experiments have: the loop and the data read the others


def listening(config: Config) -> tuple[Config, set[str]]:
    """(the same settings, the names that have been read of them so far)."""
    kind, seen = type(config), set[str]()

    def read(self: Any, name: str) -> Any:
        # Who takes all attributes at once (`vars`) may use any of them.
        seen.update([name] if name != "__dict__" else [field.name for field in dataclasses.fields(kind)])
        return kind.__getattribute__(self, name)

    heard = copy.copy(config)
    own = type(kind.__name__, (kind,), {"__slots__": (), "__getattribute__": read, "__module__": kind.__module__})
    object.__setattr__(heard, "__class__", own)
    return heard, seen


def refuse_unread(config: Config, seen: set[str], script: str) -> None:
    """Raises UserError for a setting that is not the script's default and that its `build` never looked at."""
    common = {field.name for field in dataclasses.fields(Config)} - set(FOR_BUILD)
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if field.name in seen or field.name in common or dataclasses.MISSING is field.default or value == field.default:
            continue
        given = f"--{domains.flag(field.name)} {getattr(value, 'name', value)}"
        raise UserError(f"{given}: {script} does not read it, or not with these settings; leave it out")
