"""Another run beside the one that is measured: a background, a reference."""

from pathlib import Path

from gen_jax.core import dealing
from gen_jax.core.errors import UserError
from gen_jax.core.types import weights
from gen_jax.runs.evaluation.subject import Subject
from gen_jax.runs.opened import Opened, open_state


def other(subject: Subject, flag: str, missing: str) -> Opened:
    """The run that `flag` names, opened once for all that ask.

    Raises UserError(missing) where none was named, and for one whose examples have another shape.
    """
    where = subject.options.background
    if where is None:
        raise UserError(missing)
    if "other run" not in subject.memory:
        subject.memory["other run"] = open_state(Path(where))
    found: Opened = subject.memory["other run"]
    if found.source.shape != subject.source.shape:
        shapes = f"{found.source.shape}, and this run's of {subject.source.shape}"
        raise UserError(f"{flag} {where}: its examples are of shape {shapes}")
    return found


def beside(subject: Subject, found: Opened) -> Subject:
    """The other run as what is measured, by the same options."""
    view = dealing.on_all(weights(found.state)) if subject.devices > 1 else weights(found.state)
    return Subject(found.algorithm, view, found.source, found.config, subject.options, found.path)
