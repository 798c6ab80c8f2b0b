"""Paths of a run: its name, where its checkpoints cannot be, and where its data are, wherever it is looked at from."""

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from gen_jax.core.errors import UserError
from gen_jax.data.load import Asked
from gen_jax.runs.settings import flatten, to_json

PATTERNS = "[]*?"  # Orbax finds the parts of a checkpoint by patterns, of which the whole path is a part
OF_PATHS = ("folder", "npz", "table", "pairs", "wav")
LONGEST = 60  # characters of a run's name that say how it differs from the defaults
Settings = TypeVar("Settings", bound=Asked)


def run_name(stem: str, config: Any, ignored: Sequence[str]) -> str:
    """EXPERIMENT-DATA-seedN, and before the seed each setting that is not the script's default: width32-lr0.001. Where
    that is long, eight digits of a hash in its place. `ignored`: settings that do not make another run."""
    defaults = {field.name: _default(field) for field in dataclasses.fields(config)}
    usual, given = flatten(to_json(defaults)), flatten(to_json(config))
    apart = (*ignored, "data", "seed")
    changed = {name: v for name, v in given.items() if name not in apart and (name not in usual or usual[name] != v)}
    words = "-".join(f"{name.rpartition('.')[2]}{_fit(_short(value))}" for name, value in changed.items())
    if len(words) > LONGEST:
        words = hashlib.sha256(json.dumps(changed, sort_keys=True).encode()).hexdigest()[:8]
    data = Path(config.data).name or config.data
    if "/" in config.data:  # folders of one name in several places
        data += "-" + hashlib.sha256(resolved_spec(config.data).encode(errors="replace")).hexdigest()[:4]
    return "-".join(filter(None, [stem, _fit(data), words, f"seed{config.seed}"]))


def _default(field: dataclasses.Field) -> Any:
    made = field.default_factory
    return field.default if made is dataclasses.MISSING else made()


def _short(value: Any) -> str:
    return (
        f"{value:g}"
        if isinstance(value, float)
        else "-".join(map(str, value))
        if isinstance(value, list)
        else str(value)
    )


def _fit(text: str) -> str:
    """The text as part of a file's name."""
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in text)


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
    changed: dict[str, Any] = {"data": resolved_spec(config.data), "data_dir": data_dir}
    if (columns := getattr(config, "columns", None)) is not None and Path(columns).suffix.lower() == ".toml":
        changed["columns"] = str(Path(columns).expanduser().resolve())
    return dataclasses.replace(config, **changed)  # pyright: ignore[reportArgumentType, reportCallIssue]


def short_spec(spec: str) -> str:
    """`folder:/home/me/pics` as `folder:pics`, for captions."""
    before, colon, place = spec.rpartition(":")
    return f"{before}:{Path(place).name}" if colon and before.rpartition(":")[2] in OF_PATHS else spec


def resolved_spec(spec: str) -> str:
    """`folder:pics` as `folder:/home/me/pics`; what has no path stays as it is."""
    kind, colon, argument = spec.partition(":")
    if kind == "few":  # few:COUNT:SOURCE
        most, _, base = argument.partition(":")
        return f"{kind}:{most}:{resolved_spec(base)}"
    if kind in ("stacked", "shrunk", "edges") and colon:
        return f"{kind}:{resolved_spec(argument)}"
    if kind in OF_PATHS and argument:
        return f"{kind}:{Path(argument).expanduser().resolve()}"
    return spec
