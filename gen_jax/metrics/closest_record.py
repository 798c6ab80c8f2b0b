"""How near made rows lie to the train rows, beside held-out rows: a model that copies is nearer than these are.

The distance is Euclid's between vectors of `rows.Features`: numbers over their deviation, categories 1 where they
differ.
"""

import numpy as np

from gen_jax.metrics.rows import Features


def closest(rows: np.ndarray, train: np.ndarray, features: Features) -> np.ndarray:
    """float64 [N]: the distance of each row to the nearest of the train rows [M, D]."""
    from sklearn.neighbors import NearestNeighbors

    found = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(_scaled(train, features))
    return found.kneighbors(_scaled(rows, features))[0][:, 0]


def _scaled(rows: np.ndarray, features: Features) -> np.ndarray:
    """Vectors in which two categories that differ are 1 apart, not the root of 2."""
    scale = []
    for place, count in enumerate(features.kinds.categories):
        scale += [np.sqrt(0.5)] * count if count else [1.0] * (1 + bool(features.gaps[place]))
    return features(rows) * np.array(scale, np.float32)
