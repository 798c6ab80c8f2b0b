"""Signs of failure that cost little: of a few hundred samples, by NumPy on the host, for while a model trains."""

import numpy as np

from gen_jax.metrics import frechet
from gen_jax.metrics.neighbours import squared_distances

COPY = 1 / 3  # of the distance to the second nearest training example


def relative_distance(found: np.ndarray, real: np.ndarray) -> float:
    """Fréchet distance of Gaussians fitted to points [N, D] and [M, D], over the total variance of the second; NaN
    where one of them has no covariance."""
    found, real = found.astype(np.float64), real.astype(np.float64)
    if not np.isfinite(found).all() or min(len(found), len(real)) < 2:
        return float("nan")
    moments = [frechet.Moments(np.asarray(len(p)), p.mean(axis=0), _scatter(p)) for p in (found, real)]
    variance = float(np.trace(frechet.covariance(moments[1])))
    return max(frechet.distance(*moments), 0.0) / max(variance, 1e-12)


def copied(samples: np.ndarray, train: np.ndarray) -> tuple[float, np.ndarray]:
    """(share of samples [N, F] that are three times nearer to their nearest training example [M, F] than to the next,
    row of the nearest [N])."""
    if len(train) < 2:
        return 0.0, np.zeros(len(samples), np.int64)
    squares = squares_between(samples, train)
    nearest = squares.argmin(axis=1)
    squares[np.arange(len(samples)), nearest] = np.inf
    rows = np.stack([nearest, squares.argmin(axis=1)], axis=1)
    # Measured again, exactly: products lose the digits of small differences.
    exact = np.sqrt(((samples[:, None] - train[rows]) ** 2).sum(axis=-1))
    share = float(np.mean(exact.min(axis=1) < COPY * exact.max(axis=1)))
    return share, rows[np.arange(len(rows)), exact.argmin(axis=1)]


def coverage(real: np.ndarray, radii: np.ndarray, found: np.ndarray) -> float:
    """Share of real points [N, F] with one of `found` [M, F] within their radius [N]."""
    return float(np.mean(np.sqrt(squares_between(real, found).min(axis=1)) < radii))


def squares_between(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Squared distances [N, M] of points [N, F] and [M, F], about the mean of the second."""
    centre = y.mean(axis=0)
    return squared_distances(x - centre, y - centre)


def _scatter(points: np.ndarray) -> np.ndarray:
    return np.atleast_2d(np.cov(points, rowvar=False)) * (len(points) - 1)
