"""What the verbs share: a run opened with its weights, and a table for a person or JSON for a program."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from gen_jax.core.errors import UserError
from gen_jax.core.lines import visible
from gen_jax.runs import outputs
from gen_jax.runs.access import Access

if TYPE_CHECKING:
    from gen_jax.runs.opened import Opened

Which = Literal["ema", "raw"]
TRUST = "execute the run's script also where it is neither one of experiments/ nor one that you trained with here"
Trust = Annotated[bool, tyro.conf.arg(help=TRUST)]


Elsewhere = Annotated[Access, tyro.conf.arg(name="")]  # its fields are flags of the verb
HERE = Access()


def open_state(
    run: Path, step: int | None = None, trust: bool = False, access: Access = HERE,
    outs: Mapping[str, Path | None] = MappingProxyType({}),
) -> "Opened":  # fmt: skip
    """`runs.opened.open_state`, on a platform that is set up; without JAX until it is called. `outs`: what the verb
    will write, by flag. Raises UserError where the run's data are read from there (`runs.outputs.not_over`)."""
    from gen_jax.core.platform import configure

    configure()
    from gen_jax.runs.opened import open_state as rebuild

    opened = rebuild(run, step, trusted=trust, access=access)
    outputs.not_over(outs, opened.config, access.data)
    return opened


def show(title: str, rows: list[tuple[str, Any]], as_json: bool, extra: dict[str, Any] | None = None) -> None:
    """Print rows as a short table, or everything as one JSON object."""
    if as_json:
        from gen_jax.runs.files import plain

        print(json.dumps(plain({**dict(rows), **(extra or {})})))
        return
    from rich.table import Table
    from rich.text import Text

    # Texts, not strings: rich would read "[red]" in the name of a folder as its own markup.
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(Text(visible(name)), Text(f"{value:.6g}" if isinstance(value, float) else visible(value)))
    table.title, table.title_justify = Text(visible(title), "table.title") if title else None, "left"
    console().print(table)


def console(**how: Any):
    """Rich's. A file has no edge: what is written to one is not folded at 80 columns, in the middle of a path."""
    from rich.console import Console

    found = Console(emoji=False, **how)
    return found if found.is_terminal else Console(width=160, emoji=False, **how)


def picture_path(run: Path, name: str, out: Path | None) -> Path:
    """Where a verb's picture goes: `--out`, or pictures/NAME.png in the run folder. To be asked before the work.

    Raises UserError for an `--out` that is no .png, cannot be written, or is a file of a run.
    """
    if out is not None:
        return outputs.file(out, "--out", ".png")
    path = run / outputs.PICTURES / f"{name}.png"
    if path.parent.is_symlink():
        raise UserError(f"{path.parent} is a link, where files would be replaced; give --out")
    return path
