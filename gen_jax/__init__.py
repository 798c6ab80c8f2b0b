"""Pure-JAX GANs, VAEs and hybrids: players and phases on one engine.

`load` and `train` are for notebooks and scripts (`gen_jax.api`); the command line is `python -m gen_jax`.
"""

import importlib
from importlib import metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from gen_jax.api import Run, UserError, load, train

__all__ = ["Run", "UserError", "__version__", "load", "train"]


def __getattr__(name: str) -> Any:
    # On demand, so that `--help` and the modules below need not wait for what they do not use.
    if name == "__version__":
        return metadata.version("gen_jax")
    if name in __all__:
        return getattr(importlib.import_module("gen_jax.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
