"""Evaluation on held-out data: the model's own `evaluate`, over a whole split, in batches of one shape."""

from collections.abc import Callable, Mapping

import jax
import numpy as np

from gen_jax.core import keys
from gen_jax.core.types import Algorithm, Weights
from gen_jax.data.feed import to_batch
from gen_jax.data.source import Split
from gen_jax.runs.abilities import need

Evaluator = Callable[[Weights, Split], dict[str, np.ndarray]]


def evaluator(algorithm: Algorithm, seed: int, batch_size: int = 250) -> Evaluator:
    """`evaluate(weights, split) -> {name: value of every example, [N]}`, compiled once for all splits.

    The last batch is filled up with repeats, which are dropped again, so that there is one shape. Noise depends on
    the seed and the example's position alone.
    """
    compiled = jax.jit(need(algorithm, "evaluate", "held-out evaluation"))
    root = keys.named(jax.random.key(seed), "held-out")

    def run(weights: Weights, split: Split) -> dict[str, np.ndarray]:
        parts = []  # on the device: a batch is read while the one before it is computed
        for number, start in enumerate(range(0, split.size, batch_size)):
            wanted = np.arange(start, min(start + batch_size, split.size))
            filled = np.resize(wanted, batch_size)
            batch = to_batch(split.read(filled))
            parts.append((compiled(weights, batch, jax.random.fold_in(root, number)), len(wanted)))
        names = parts[0][0]
        return {name: np.concatenate([np.asarray(part[name])[:count] for part, count in parts]) for name in names}

    return run


def means(values: Mapping[str, np.ndarray]) -> dict[str, float]:
    """The mean over examples of each value, in float64."""
    return {name: float(np.mean(value, dtype=np.float64)) for name, value in values.items()}
