"""Precision follows the caller: numpy float64 arrays are computed in float64, everything else in JAX's default.

Metrics are JAX functions, so they run on an accelerator and inside `jit`; but the numbers of a table want float64,
which JAX switches off by default. Here the dtype of the arguments is the switch, instead of a global flag.
"""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import jax
import numpy as np

P = ParamSpec("P")
R = TypeVar("R")


def follows_dtype(function: Callable[P, R]) -> Callable[P, R]:
    """`function`, run in float64 (and returning numpy arrays) if any array among its arguments is numpy float64.

    Matrix products run at the backend's highest precision: the default on GPU and TPU would round float32 features to
    10 or 8 bits of mantissa.
    """

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        leaves = jax.tree.leaves((args, kwargs))
        with jax.default_matmul_precision("highest"):
            if not any(isinstance(leaf, np.ndarray) and leaf.dtype == np.float64 for leaf in leaves):
                return function(*args, **kwargs)
            with jax.enable_x64(True):
                result = function(*args, **kwargs)
                return jax.tree.map(lambda leaf: np.asarray(leaf) if isinstance(leaf, jax.Array) else leaf, result)

    return wrapped
