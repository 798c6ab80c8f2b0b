"""Weights and inputs by name, so that golden files hold results alone: the same numbers here and in the makers."""

import math
import zlib

import numpy as np


def drawn(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """N(0, 1) seeded by the name, float64; as weights: kernels over the root of their fan-in, scales about 1."""
    values = np.random.default_rng(zlib.crc32(name.encode())).normal(size=shape)
    if name.endswith("scale"):
        values = 1.0 + 0.3 * values
    elif not name.startswith("input"):
        values = values / math.sqrt(math.prod(shape[:-1])) if len(shape) > 1 else 0.3 * values
    return np.asarray(values)
