"""A run opened: its configuration, data and algorithm rebuilt from its folder, and the state of a checkpoint."""

import dataclasses
from pathlib import Path
from typing import NamedTuple

import jax

from gen_jax.core import parallel
from gen_jax.core.errors import UserError
from gen_jax.core.types import Algorithm, State
from gen_jax.data import load
from gen_jax.data.source import Source
from gen_jax.runs import checkpoint, folder, identity, manifest, paths
from gen_jax.runs.access import Access
from gen_jax.runs.config import Config

HERE = Access()  # where and as it was


class Opened(NamedTuple):
    """A run, rebuilt, at one of its checkpoints."""

    path: Path
    config: Config
    source: Source
    algorithm: Algorithm
    state: State
    step: int


def open_state(
    run: Path, step: int | None = None, source: Source | None = None, *, trusted: bool = False, access: Access = HERE
) -> Opened:
    """Rebuild a run's model from its folder and restore a checkpoint, the newest sound one by default.

    `source`: the run's data, where they are loaded already. `trusted`: execute its script, whoever wrote it. `access`:
    where its data are now, and which changes are allowed. Raises UserError for a folder that holds no run; for data or
    code that are not there or not the run's; and for a step without a checkpoint. Platform settings (`core.platform`)
    are the caller's.
    """
    rebuilt = folder.open_run(run, trusted, access.allow_changed)
    config = moved(rebuilt.config, access)
    source = data_of(run, config, access, source)
    algorithm = rebuilt.build(config, source)
    template = jax.eval_shape(algorithm.init, jax.random.key(config.seed))
    where = parallel.layout("jit", 1)
    with checkpoint.open_checkpoints(run, writable=False) as checkpoints:
        state, found = checkpoints.restore(template, step, sharding=where.replicated)
    return Opened(run, config, source, algorithm, state, found)


def moved(config: Config, access: Access) -> Config:
    """The settings, with the data where they are now."""
    given = {"data": access.data, "data_dir": access.data_dir}
    given = {name: value for name, value in given.items() if value is not None}
    return paths.resolved(dataclasses.replace(config, **given)) if given else config


def data_of(run: Path, config: Config, access: Access, source: Source | None = None) -> Source:
    """The data of these settings, which are those that the run was trained on. Raises UserError where they are not."""
    if source is None:
        try:
            source = load.of(config)
        except UserError as error:
            hint = (
                "" if access.data else f"; where the run's data have moved, say with {access.option} where they are now"
            )
            columns = config.columns or ""
            if columns.endswith(".toml") and not Path(columns).is_file():
                hint = "; this run reads its table by that file: put it there again"
            raise UserError(f"{error}{hint}") from error
    record = folder.record(run)
    found = identity.changes(identity.last(record, run), {"data": identity.of_data(source, config.data)})
    identity.settle(
        found, access.allow_changed, run, {"data": f"give the data that it was trained on, with {access.option}"}
    )
    identity.tell_packages(record, manifest.versions(), run)
    return source
