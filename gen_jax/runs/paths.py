"""Paths of a run: where its checkpoints cannot be, and where its data are, wherever it is looked at from."""

import dataclasses
from pathlib import Path
from typing import TypeVar

from gen_jax.core.errors import UserError
from gen_jax.data.load import Asked

PATTERNS = "[]*?"  # Orbax finds the parts of a checkpoint by patterns, of which the whole path is a part
Settings = TypeVar("Settings", bound=Asked)


def refuse_patterns(path: Path) -> None:
    r"""Raises UserError where the resolved path is one under which checkpoints could not be written and found again:
    with [ ] * ? (Orbax takes them for patterns), \ (TensorStore writes / for it), or bytes that are no UTF-8.
    """
    whole = str(path.absolute().resolve())
    if found := [character for character in [*PATTERNS, "\\"] if character in whole]:
        raise UserError(
            f"{path}: checkpoints cannot be kept under a path with {' '.join(found)} in it ({whole}); "
            "rename that folder, or give another"
        )
    try:
        whole.encode()
    except UnicodeEncodeError:
        raise UserError(f"{path}: checkpoints cannot be kept under a path that is no UTF-8; give another") from None


def resolved(config: Settings) -> Settings:
    """The settings with the paths of their data resolved, so that they mean the same from every working directory."""
    data_dir = config.data_dir and config.data_dir.expanduser().resolve()
    changed = {"data": resolved_spec(config.data), "data_dir": data_dir}
    return dataclasses.replace(config, **changed)  # pyright: ignore[reportArgumentType, reportCallIssue]


def resolved_spec(spec: str) -> str:
    """`folder:pics` as `folder:/home/me/pics`; what has no path stays as it is."""
    kind, colon, argument = spec.partition(":")
    if kind == "stacked" and colon:
        return f"{kind}:{resolved_spec(argument)}"
    if kind in ("folder", "npz") and argument:
        return f"{kind}:{Path(argument).expanduser().resolve()}"
    return spec
