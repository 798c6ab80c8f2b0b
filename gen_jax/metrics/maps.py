"""What a map of few dimensions keeps: neighbourhoods (trustworthiness), classes (k-NN), distances (Shepard)."""

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.metrics.neighbours import nearest


def trustworthiness(points, places, neighbours: int = 12) -> float:
    """1 minus the penalty for neighbours on the map that are none in the data (Venna & Kaski 2001), in [0, 1].

    points [N, D], places [N, d]. Memory grows with N²: at most 10,000 examples. UserError where N is too small.
    """
    from sklearn.manifold import trustworthiness as of

    if neighbours >= len(points) / 2:
        raise UserError(
            f"trustworthiness of {neighbours} neighbours needs more than {2 * neighbours} examples, got {len(points)}"
        )
    return float(of(_flat(points), _flat(places), n_neighbors=neighbours))


def neighbour_labels(places, train_places, train_labels, k: int = 5) -> np.ndarray:
    """Labels [N]: the commonest among the k of train_places [M, d] nearest to places [N, d]; ties go to the nearer."""
    _, rows = nearest(np.float32(_flat(places)), np.float32(_flat(train_places)), k)
    votes = np.asarray(train_labels)[np.asarray(rows)]  # [N, k], nearest first
    counts = (votes[:, :, None] == votes[:, None, :]).sum(axis=2)
    return np.take_along_axis(votes, counts.argmax(axis=1)[:, None], axis=1)[:, 0]


def shepard_correlation(points, places, pairs: int = 100_000, seed: int = 0) -> float:
    """Spearman's correlation of distances in the data and on the map, over random pairs (Shepard 1962)."""
    from scipy.stats import spearmanr

    points, places = _flat(points), _flat(places)
    if len(points) < 3:
        raise UserError(f"a correlation of distances needs 3 examples or more, got {len(points)}")
    generator = np.random.default_rng(seed)
    first = generator.integers(len(points), size=pairs)
    second = (first + generator.integers(1, len(points), size=pairs)) % len(points)  # never the same one
    far, near = (_distances(x, first, second) for x in (points, places))
    return float(spearmanr(far, near)[0])  # pyright: ignore[reportArgumentType]


def _distances(x: np.ndarray, first: np.ndarray, second: np.ndarray, block: int = 5_000) -> np.ndarray:
    """Euclidean distances of rows x[first] and x[second], a block at a time."""
    starts = range(0, len(first), block)
    return np.concatenate([np.linalg.norm(x[first[s : s + block]] - x[second[s : s + block]], axis=1) for s in starts])


def _flat(x) -> np.ndarray:
    x = np.asarray(x)
    return x.reshape(len(x), -1)
