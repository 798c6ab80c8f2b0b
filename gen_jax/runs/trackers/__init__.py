"""Where a run's metrics and pictures go beside metrics.jsonl: `--log tensorboard,csv,wandb,mlflow`, a file each.

A tracker only looks: metrics.jsonl and samples/ hold everything that it is given. So one of another's that fails while
the run trains (a network, a server, a full quota) is told once and left out from then on.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from importlib import util
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from gen_jax.core.errors import UserError, installing
from gen_jax.core.lines import say
from gen_jax.runs.settings import flatten


class Tracker(Protocol):
    """What a run tells."""

    def scalars(self, step: int, metrics: Mapping[str, float]) -> None:
        """Finite and other metrics of a step. A run that resumes tells steps again that it had given up."""
        ...

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        """A picture, uint8 [H, W, 3]."""
        ...

    def close(self) -> None:
        """The sitting is over."""
        ...


class _Kind(NamedTuple):
    """How a tracker is made: its module here, which has `start(run_dir, step, settings) -> Tracker`, and the package
    that it needs beside this project's own ("": none)."""

    module: str
    package: str = ""


_KINDS = {
    "tensorboard": _Kind("tensorboard"),
    "csv": _Kind("table"),
    "wandb": _Kind("weights_and_biases", "wandb"),
    "mlflow": _Kind("mlflow_client", "mlflow"),
}


def names(asked: str) -> list[str]:
    """The trackers that `--log` names. Raises UserError for one that is not known, and for one whose package is not
    installed."""
    found = list(dict.fromkeys(filter(None, (name.strip() for name in asked.split(",")))))
    for name in found:
        if name not in _KINDS:
            raise UserError(f"--log {asked}: there is no {name!r}; there are {', '.join(_KINDS)}, with commas between")
        package = _KINDS[name].package
        if package and util.find_spec(package) is None:
            how = installing(f"pip install {package}")
            raise UserError(f"--log {name} needs the package {package}: {how}, or leave it out")
    return found


def start(asked: str, run_dir: Path, step: int, settings: Mapping[str, Any]) -> list[Tracker]:
    """Those that `--log` names, opened for a run that begins or goes on at a step. Raises UserError as `names` does,
    and where a file cannot be written; another's own refusal (no account, no server) keeps its words."""
    return [_started(name, run_dir, step, flatten(dict(settings))) for name in names(asked)]


def _started(name: str, run_dir: Path, step: int, settings: Mapping[str, Any]) -> Tracker:
    kind = _KINDS[name]
    make: Callable[..., Tracker] = importlib.import_module(f"{__name__}.{kind.module}").start
    if not kind.package:
        return make(run_dir, step, settings)
    try:
        return _Careful(name, make(run_dir, step, settings))
    except Exception as error:  # of another's package, of any kind
        raise UserError(f"--log {name}: {kind.package} says: {type(error).__name__}: {error}") from error


class _Careful:
    """Another's tracker, which may fail at any time and costs what it would have shown."""

    def __init__(self, name: str, inner: Tracker) -> None:
        self._name, self._inner = name, inner

    def scalars(self, step: int, metrics: Mapping[str, float]) -> None:
        self._try("scalars", step, metrics)

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        self._try("image", step, name, image)

    def close(self) -> None:
        self._try("close")

    def _try(self, act: str, *arguments: Any) -> None:
        if self._inner is None:
            return
        try:
            getattr(self._inner, act)(*arguments)
        except Exception as error:
            self._inner = None
            say(f"{self._name} failed ({type(error).__name__}: {error}); the run goes on without it, and keeps its log")


def tell(trackers: Sequence[Tracker], act: str, *arguments: Any) -> None:
    """Do the same with each."""
    for tracker in trackers:
        getattr(tracker, act)(*arguments)
