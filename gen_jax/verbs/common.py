"""What the verbs share: a run opened with its weights, and a table for a person or JSON for a program."""

import json
from pathlib import Path
from typing import Any, Literal, NamedTuple

Which = Literal["ema", "raw"]


class Opened(NamedTuple):
    """A run, rebuilt: its configuration, data, algorithm and the state of a checkpoint."""

    path: Path
    config: Any
    source: Any
    algorithm: Any
    state: Any
    step: int


def open_state(run: Path, step: int | None = None) -> Opened:
    """Rebuild a run's model from its folder and restore a checkpoint (the newest sound one by default)."""
    from gen_jax.core.platform import configure

    configure()
    import jax

    from gen_jax.core import parallel
    from gen_jax.data import load
    from gen_jax.runs import checkpoint, folder

    opened = folder.open_run(run)
    config = opened.config
    source = load.load(config.data, config.data_dir and str(config.data_dir), config.image_size, config.channels)
    algorithm = opened.build(config, source)
    template = jax.eval_shape(algorithm.init, jax.random.key(config.seed))
    where = parallel.layout("jit", 1)
    with checkpoint.open_checkpoints(run, writable=False) as checkpoints:
        state, found = checkpoints.restore(template, step, sharding=where.replicated)
    return Opened(run, config, source, algorithm, state, found)


def need(algorithm: Any, name: str, verb: str) -> Any:
    """The algorithm's function `name`. Raises UserError where the model cannot do it."""
    from gen_jax.core.errors import UserError

    function = getattr(algorithm, name)
    if function is None:
        raise UserError(f"{verb} needs a model that can {name}, and this one cannot")
    return function


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
