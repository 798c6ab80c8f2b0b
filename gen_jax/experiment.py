"""What every experiment script stands on: the settings they all have, and `main`, which runs one.

An experiment is a frozen dataclass of settings that extends `Config` and a function `build(config, data) -> Algorithm`;
`main(Config, build)` turns the dataclass into the command line and trains. This module stays light (no JAX at import)
so that `--help` answers at once.
"""

import dataclasses
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gen_jax.core import starting
from gen_jax.core.errors import UserError
from gen_jax.runs import executed, signals
from gen_jax.runs.config import Config as Config

LOADED = "gen_jax_experiment_"  # how modules are called that `runs.scripts` makes of scripts

if signals.imported_by_script():
    executed.watch()
    signals.quit_at_once()  # while it imports the rest; `main` ends this


def main(config_type: type[Any], build: Callable[..., Any]) -> None:
    """Read the command line of an experiment and train it. Exits 0; 2 on a usage error; 1 where the run broke down;
    128 + the number of a signal that ended it (130 for Ctrl-C, 143 for SIGTERM), after a checkpoint.

    `config_type` and `build` are what the script that calls it defines, or imports, as `Config` and `build`: verbs find
    them in its copy.
    """
    from gen_jax.runs.exits import exit_with

    caller = sys._getframe(1).f_globals
    if caller.get("__name__", "").startswith(LOADED):
        return  # a script without `if __name__ == "__main__":`, of which a tool only wants the names
    with exit_with():  # the command line and imports included: Ctrl-C may come at any time
        signals.quit_at_once()
        starting.hush_early()
        names = names_of(config_type, build, vars(sys.modules["__main__"]), caller)
        script = Path(names["__file__"]).resolve()
        executed.started(script, names)
        from gen_jax.runs import command

        config = command.read(config_type, description=names.get("__doc__") or "")
        from gen_jax.core import platform, processes
        from gen_jax.runs import answering, shared
        from gen_jax.runs.train import train

        platform.configure(config.deterministic, script)
        how = starting.asked(config.distributed == "auto", config.coordinator, config.processes, config.process)
        config = dataclasses.replace(config, distributed="", coordinator=None, processes=None, process=None)
        with shared.joined(how):
            if config.deterministic and processes.leader():
                print(f"deterministic: {platform.DETERMINISTIC_COST}")
            signals.interrupt_again()
            answering.as_command()
            train(config, build, script)


def names_of(config_type: Any, build: Any, *places: Mapping[str, Any]) -> Mapping[str, Any]:
    """The first of these modules (as dicts of their names) that has both under their names: the script that runs, not
    the one where `build` was written. Raises UserError where none has.
    """
    for names in places:
        if names.get("Config") is config_type and names.get("build") is build and names.get("__file__"):
            return names
    raise UserError(
        "experiment.main(Config, build) takes what its script calls `Config` and `build`: a run folder keeps a copy of "
        "the script, in which verbs look for these names; name them so, in a file"
    )
