"""Fréchet distance between two Gaussians fitted to features, from moments that stream and merge.

FD = |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)), covariances with ddof 1 (Heusel et al. 2017, arXiv:1706.08500, eq. 6).
It is called FID only on the pool3 features of the 2015-12-05 Inception network; on any others it is FD-(their name).
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.core.threads import one_thread
from gen_jax.metrics.precision import follows_dtype

SQUARED = 1e-12  # smallest over largest eigenvalue of a product whose square roots keep their digits in float64
# Dimensions up to which a GPU's SVD takes longer to begin than LAPACK to end (70 against 1 ms for 32), and LAPACK's
# threads to find each other.
SMALL = 256


class Moments(NamedTuple):
    """Sufficient statistics of a set of feature vectors: a commutative monoid under `merge`, with `empty` its unit."""

    number: jax.Array | np.ndarray  # scalar: how many vectors
    mean: jax.Array | np.ndarray  # [D]
    scatter: jax.Array | np.ndarray  # [D, D], sum of outer products of deviations from the mean


def empty(dimension: int, dtype=np.float64) -> Moments:
    """Moments of no vectors. float64 (the default) keeps every later `update` in float64; see `follows_dtype`."""
    return Moments(np.zeros((), dtype), np.zeros(dimension, dtype), np.zeros((dimension, dimension), dtype))


@follows_dtype
@jax.jit
def merge(first: Moments, second: Moments) -> Moments:
    """Moments of the union of two sets (Chan, Golub & LeVeque 1983, eq. 2.1). Either may be empty."""
    first, second = (Moments(*map(jnp.asarray, moments)) for moments in (first, second))
    count = first.number + second.number
    share = second.number / jnp.maximum(count, 1)
    shift = second.mean - first.mean
    scatter = first.scatter + second.scatter + shift[:, None] * shift * first.number * share
    return Moments(count, first.mean + shift * share, scatter)


@follows_dtype
@jax.jit
def update(moments: Moments, features, mask=None) -> Moments:
    """Moments after one more batch of features [B, D]. Rows where `mask` [B] is 0 are padding and do not count."""
    features = jnp.asarray(features, jnp.asarray(moments.mean).dtype)
    weight = jnp.ones(len(features), features.dtype) if mask is None else jnp.asarray(mask, features.dtype)
    count = weight.sum()
    mean = weight @ features / jnp.maximum(count, 1)
    deviations = (features - mean) * weight[:, None]
    return merge(moments, Moments(count, mean, deviations.T @ deviations))


def moments_of(features, block: int = 5_000) -> Moments:
    """Moments of features [N, D] in float64, read a block at a time (the last one padded: one compiled shape).

    Products of float32 features are taken in float32, about a common centre, and summed in float64 over blocks: what a
    network's float32 outputs are accurate to, at half the time. Their rounding errors are independent, so those of a
    Fréchet distance stay below 1e-6 of it (tested). float64 features are multiplied in float64.
    """
    features = np.asarray(features)
    if features.dtype != np.float32 or not len(features):
        moments = empty(features.shape[1])
        for part, mask in _padded(features, min(block, 1_000)):
            moments = update(moments, part, mask)
        return moments
    centre, dimension = features[:block].mean(axis=0), features.shape[1]
    total, products = np.zeros(dimension), np.zeros((dimension, dimension))
    for start in range(0, len(features), block):
        deviations = features[start : start + block] - centre
        total += np.ones(len(deviations), np.float32) @ deviations
        products += _square(deviations)
    offset = total / max(len(features), 1)
    return Moments(np.asarray(len(features), np.float64), centre + offset, products - np.outer(offset, total))


def _square(deviations: np.ndarray) -> np.ndarray:
    """[B, D] -> [D, D], float32. On a CPU by NumPy, whose BLAS knows that the product is symmetric: half the work."""
    if jax.default_backend() == "cpu":
        return deviations.T @ deviations
    with jax.default_matmul_precision("highest"):
        return np.asarray(_product(deviations))


@jax.jit
def _product(deviations):
    return deviations.T @ deviations


def _padded(features: np.ndarray, block: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Blocks of rows, the last one filled up with zeros, each with a mask of the rows that count."""
    for start in range(0, len(features), block):
        part = features[start : start + block]
        padding = np.zeros((block - len(part), features.shape[1]), features.dtype)
        yield (np.concatenate([part, padding]) if len(padding) else part), np.arange(block) < len(part)


def covariance(moments: Moments):
    """Covariance [D, D] with ddof 1; undefined (NaN) for fewer than two vectors."""
    return moments.scatter / (moments.number - 1)


@follows_dtype
@jax.jit
def frechet_distance(mean1, covariance1, mean2, covariance2):
    """Fréchet distance of N(mean1, covariance1) and N(mean2, covariance2); means [D], covariances [D, D]; a scalar.

    tr (S1 S2)^(1/2) is taken as the sum of the singular values of A1^T A2 for any factors S = A A^T, which are the
    square roots of eigvalsh(S1^(1/2) S2 S1^(1/2)) but lose no digits to the squaring. A is Cholesky's where there is
    one, else that of the eigenvectors, so that singular covariances (fewer samples than dimensions) need no epsilon. In
    float64 it agrees with scipy's sqrtm, torch-fidelity and clean-fid to 1e-9 relative on full-rank covariances, as far
    as those are accurate themselves on singular ones. In float32 expect an absolute error of some 1e-4 of tr(S1 + S2)
    on singular covariances and 1e-6 of it on well-conditioned ones: enough to watch training, not for a table.
    """
    mean1, covariance1, mean2, covariance2 = map(jnp.asarray, (mean1, covariance1, mean2, covariance2))
    overlap = jnp.linalg.svd(_factor(covariance1).T @ _factor(covariance2), compute_uv=False).sum()
    return jnp.sum((mean1 - mean2) ** 2) + jnp.trace(covariance1) + jnp.trace(covariance2) - 2 * overlap


def _factor(covariance):
    """A [D, D] with A A^T = covariance. Cholesky's takes a tenth of the time of the eigenvectors."""

    def from_eigenvectors():
        values, vectors = jnp.linalg.eigh(covariance)
        return vectors * jnp.sqrt(jnp.maximum(values, 0))

    triangle = jnp.linalg.cholesky(covariance, symmetrize_input=False)
    return jax.lax.cond(jnp.isfinite(triangle).all(), lambda: triangle, from_eigenvectors)


def distance(first: Moments, second: Moments) -> float:
    """Fréchet distance of two sets from their moments, two vectors at least in each."""
    if min(first.number, second.number) < 2:
        raise UserError(f"FD needs 2 feature vectors a set, got {int(first.number)} and {int(second.number)}")
    pair = (first.mean, covariance(first)), (second.mean, covariance(second))
    if jax.default_backend() == "cpu" or len(first.mean) <= SMALL:
        mean1, covariance1, mean2, covariance2 = (np.asarray(part, np.float64) for each in pair for part in each)
        overlap = _overlap_by_squares(covariance1, covariance2)
        if overlap is not None:
            traces = np.trace(covariance1) + np.trace(covariance2)
            return float(np.sum((mean1 - mean2) ** 2) + traces - 2 * overlap)
    return float(frechet_distance(*pair[0], *pair[1]))


def _overlap_by_squares(covariance1: np.ndarray, covariance2: np.ndarray) -> float | None:
    """tr (S1 S2)^(1/2) in a third of the time, from LAPACK's eigenvalues of S1 S2; None where that loses digits.

    `frechet_distance` is right everywhere; this is so where the covariances are regular, and checks that they are.
    """
    from scipy.linalg import LinAlgError, eigh

    try:
        # Of the symmetric L^T S1 L, where S2 = L L^T.
        with one_thread() if len(covariance1) <= SMALL else contextlib.nullcontext():
            values = eigh(covariance1, covariance2, type=2, eigvals_only=True, driver="gv")
    except (LinAlgError, ValueError):  # singular, or not finite
        return None
    return None if values[0] <= SQUARED * values[-1] else float(np.sqrt(values).sum())


class Extrapolation(NamedTuple):
    """A line of FD against 1/N and its value at 1/N = 0."""

    limit: float
    slope: float
    counts: np.ndarray  # [points]
    distances: np.ndarray  # [points]


def frechet_infinity(
    reference: Moments, features, seed: int = 0, points: int = 15, minimum: int = 5_000
) -> Extrapolation:
    """FD at infinitely many generated samples: FD on `points` random subsets, a line in 1/N, its intercept.

    Chong & Forsyth 2020, arXiv:1911.07023, section 4. `features` [N, D] are the generated ones; subset sizes run evenly
    from `minimum` to N. The bias of the *reference* set stays: keep it fixed when comparing models.
    """
    features = np.asarray(features, np.float64)
    if not 2 <= minimum < len(features):
        raise UserError(f"FD-infinity needs more than {minimum} generated features (or a smaller minimum)")
    rng = np.random.default_rng(seed)
    counts = np.linspace(minimum, len(features), points).astype(int)
    subsets = (features[rng.choice(len(features), count, replace=False)] for count in counts)
    distances = np.array([distance(moments_of(subset), reference) for subset in subsets])
    slope, limit = np.polyfit(1 / counts, distances, 1)
    return Extrapolation(float(limit), float(slope), counts, distances)


def frechet_per_class(real, real_labels, generated, generated_labels, classes: int | Sequence[int]) -> dict[int, float]:
    """FD within each class, {class: FD}: what a global FD hides when a class collapses but its share stays right.

    Features [N, D] and labels [N]. With few samples a class the bias dominates: compare equal counts only.
    """
    real, generated = np.asarray(real, np.float64), np.asarray(generated, np.float64)
    real_labels, generated_labels = np.asarray(real_labels), np.asarray(generated_labels)
    result = {}
    for label in range(classes) if isinstance(classes, int) else classes:
        pair = real[real_labels == label], generated[generated_labels == label]
        if min(map(len, pair)) < 2:
            raise UserError(f"class {label} has {len(pair[0])} real and {len(pair[1])} generated samples; FD needs 2")
        result[int(label)] = distance(moments_of(pair[0]), moments_of(pair[1]))
    return result
