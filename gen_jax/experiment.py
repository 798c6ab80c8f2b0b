"""What every experiment script stands on: the settings they all have, and `main`, which runs one.

An experiment is a frozen dataclass of settings that extends `Config` and a function `build(config, data) -> Algorithm`;
`main(Config, build)` turns the dataclass into the command line and trains. This module stays light (no JAX at import)
so that `--help` answers at once.
"""

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gen_jax.runs.config import Config as Config


def main(config_type: type[Any], build: Callable[..., Any]) -> None:
    """Read the command line of an experiment and train it. Exits 0; 2 on a usage error; 1 where the run broke down;
    130 or 143 when interrupted, after a checkpoint."""
    from gen_jax.runs.exits import exit_with

    with exit_with():  # the command line and imports included: Ctrl-C may come at any time
        from gen_jax.runs import command

        script = Path(inspect.getfile(build)).resolve()
        config = command.read(config_type, description=sys.modules[build.__module__].__doc__ or "")
        from gen_jax.core import platform
        from gen_jax.runs.train import train

        platform.configure(config.deterministic)
        if config.deterministic:
            print(f"deterministic: {platform.DETERMINISTIC_COST}")

        train(config, build, script)
