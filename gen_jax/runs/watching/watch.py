"""What looks at the model while it trains, from fixed latents and at the held-out split, and writes what it sees."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np

from gen_jax.core.types import Algorithm, Array, State, Weights, weights
from gen_jax.data.source import Source
from gen_jax.runs.config import Config
from gen_jax.runs.log import Log
from gen_jax.runs.watching import heldout, observe, pictures, tracking


class Watch:
    """A run's eyes. Made before anything is written; raises UserError where they are asked for what cannot be seen."""

    def __init__(self, run_dir: Path, config: Config, algorithm: Algorithm, source: Source):
        self.run_dir, self.source = run_dir, source
        followed = tracking.tracker(config, algorithm, source)
        self._follow = followed.measure
        # The metric that marks the best checkpoint, and whether lower is better.
        self.best = (f"held_out/{algorithm.best}", False) if algorithm.best else followed.best or (None, False)
        self._draw: Callable[[Weights], Array] | None = None
        if "prior" in algorithm.samplers:
            self._draw = pictures.sampler(algorithm, source, config.seed)
        self._measure = heldout.evaluator(algorithm, config.seed) if algorithm.evaluate else None
        self._observe: observe.Observer | None = None
        self._observer = lambda: observe.observer(algorithm, source, config.seed, self._measure)
        self._measured: tuple[int, dict[str, float]] = (-1, {})

    @property
    def shows_samples(self) -> bool:
        return self._draw is not None

    def measured(self, step: int) -> dict[str, float]:
        """What `evaluate` saw at this step; empty where it did not look."""
        return self._measured[1] if self._measured[0] == step else {}

    def picture(self, state: State, step: int) -> np.ndarray | None:
        """The grid of samples, saved; None where the model cannot sample from its prior."""
        if self._draw is None:
            return None
        return pictures.save_samples(self.run_dir, step, np.asarray(self._draw(weights(state))), self.source)

    def show(self, state: State, step: int, lines: Log) -> None:
        """The grid of samples, saved and logged."""
        if (picture := self.picture(state, step)) is not None:
            lines.picture(step, picture)

    def evaluate(self, state: State, step: int, lines: Log | None) -> None:
        """Held-out means, signs and followed scores, logged by process 0; of several processes all have to look."""
        seen = self._see(state)
        self._measured = step, seen
        if lines is not None:
            lines.write(step, seen)

    def rehearse(self, state: State, evaluates: bool) -> None:
        """Look and leave no trace, so that the programs are there when it counts. What fails will fail then, said."""
        with contextlib.suppress(Exception):
            if self._draw is not None:
                jax.block_until_ready(self._draw(weights(state)))
        with contextlib.suppress(Exception):
            if evaluates:
                self._see(state)

    def _see(self, state: State) -> dict[str, float]:
        self._observe = self._observe or self._observer()
        seen = self._observe(state) | self._follow(state)
        if self._measure is not None:
            values = self._measure(weights(state), self.source.test)
            seen = {f"held_out/{name}": value for name, value in heldout.means(values).items()} | seen
        return seen
