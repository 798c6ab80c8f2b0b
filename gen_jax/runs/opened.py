"""A run opened: its configuration, data and algorithm rebuilt from its folder, and the state of a checkpoint."""

from pathlib import Path
from typing import NamedTuple

import jax

from gen_jax.core import parallel
from gen_jax.core.types import Algorithm, State
from gen_jax.data import load
from gen_jax.data.source import Source
from gen_jax.runs import checkpoint, folder
from gen_jax.runs.config import Config


class Opened(NamedTuple):
    """A run, rebuilt, at one of its checkpoints."""

    path: Path
    config: Config
    source: Source
    algorithm: Algorithm
    state: State
    step: int


def open_state(run: Path, step: int | None = None, source: Source | None = None, *, trusted: bool = False) -> Opened:
    """Rebuild a run's model from its folder and restore a checkpoint, the newest sound one by default.

    `source`: the run's data, where they are loaded already. `trusted`: execute its script, whoever wrote it. Raises
    UserError for a folder that holds no run, for data that are not there, and for a step without a checkpoint. Platform
    settings (`core.platform`) are the caller's.
    """
    rebuilt = folder.open_run(run, trusted)
    config = rebuilt.config
    source = load.of(config) if source is None else source
    algorithm = rebuilt.build(config, source)
    template = jax.eval_shape(algorithm.init, jax.random.key(config.seed))
    where = parallel.layout("jit", 1)
    with checkpoint.open_checkpoints(run, writable=False) as checkpoints:
        state, found = checkpoints.restore(template, step, sharding=where.replicated)
    return Opened(run, config, source, algorithm, state, found)
