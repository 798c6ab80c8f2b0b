"""The floor of made rows: points between a train row and one of its nearest of the same class (SMOTE: Chawla et al.
2002), for all classes as often as they are. It copies, and is hard to beat by utility: read it beside the distance to
the closest record."""

import numpy as np

from gen_jax.metrics.rows import Features

NEIGHBOURS = 5


def smote(train: np.ndarray, count: int, features: Features, target: int | None, seed: int) -> np.ndarray:
    """`count` rows, float64 [count, D]: a train row and a neighbour, mixed in a uniform share; each category, and each
    value that one of them misses, is of one of the two by that share. target: the column within whose values neighbours
    are sought, where it holds categories."""
    from sklearn.neighbors import NearestNeighbors

    random = np.random.default_rng(seed)
    first = random.integers(len(train), size=count)
    second = first.copy()
    of = np.zeros(len(train)) if target is None or not features.kinds.categories[target] else train[:, target]
    groups = np.nan_to_num(of, nan=-2.0)
    vectors = features(train)
    for group in np.unique(groups):
        inside, asked = np.flatnonzero(groups == group), np.flatnonzero(groups[first] == group)
        near = min(NEIGHBOURS, len(inside) - 1)
        if near < 1 or not len(asked):
            continue
        index = NearestNeighbors(n_neighbors=near + 1, algorithm="brute").fit(vectors[inside])
        found = index.kneighbors(vectors[first[asked]], return_distance=False)
        second[asked] = inside[found[np.arange(len(asked)), random.integers(1, near + 1, size=len(asked))]]
    share = random.uniform(size=(count, 1))
    one, other = train[first], train[second]
    mixed = one + share * (other - one)
    either = np.where(random.uniform(size=one.shape) < share, other, one)
    numbers = np.array([not categories for categories in features.kinds.categories])
    return np.where(numbers & ~np.isnan(mixed), mixed, either)
