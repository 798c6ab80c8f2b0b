"""Evaluation on held-out data: the model's own `evaluate`, over a whole split, in batches of one shape."""

from collections.abc import Callable, Mapping

import jax
import numpy as np

from gen_jax.core import dealing, keys
from gen_jax.core.types import Algorithm, Weights
from gen_jax.data.source import Split
from gen_jax.runs.abilities import need
from gen_jax.runs.batches import in_batches

Evaluator = Callable[[Weights, Split], dict[str, np.ndarray]]


def evaluator(algorithm: Algorithm, seed: int, batch_size: int = 250) -> Evaluator:
    """`evaluate(weights, split) -> {name: value of every example, [N]}`, compiled once for all splits.

    Noise depends on the seed and the example's position alone. Of several processes all have to ask.
    """
    compiled = dealing.by_device(need(algorithm, "evaluate", "held-out evaluation"))
    root = keys.named(jax.random.key(seed), "held-out")
    return lambda weights, split: in_batches(compiled, weights, split, np.arange(split.size), batch_size, key=root)


def means(values: Mapping[str, np.ndarray]) -> dict[str, float]:
    """The mean over examples of each value, in float64."""
    return {name: float(np.mean(value, dtype=np.float64)) for name, value in values.items()}
