"""What the verbs share: a run opened with its weights, and a table for a person or JSON for a program."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from gen_jax.runs.opened import Opened

Which = Literal["ema", "raw"]


def open_state(run: Path, step: int | None = None) -> "Opened":
    """`runs.opened.open_state`, on a platform that is set up; without JAX until it is called."""
    from gen_jax.core.platform import configure

    configure()
    from gen_jax.runs.opened import open_state as rebuild

    return rebuild(run, step)


def show(title: str, rows: list[tuple[str, Any]], as_json: bool, extra: dict[str, Any] | None = None) -> None:
    """Print rows as a short table, or everything as one JSON object."""
    if as_json:
        print(json.dumps({**dict(rows), **(extra or {})}, default=str))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, f"{value:.6g}" if isinstance(value, float) else str(value))
    Console().print(table)


def picture_path(run: Path, name: str, out: Path | None) -> Path:
    """Where a verb's picture goes: `--out`, or pictures/NAME.png in the run folder."""
    path = out or run / "pictures" / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
