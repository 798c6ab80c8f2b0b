"""A mixture of diagonal Gaussians fitted by expectation-maximisation inside a compiled step (Dempster et al. 1977).

k-means++ (Arthur & Vassilvitskii 2007) and Lloyd's steps give each of many starts. From these EM fits full covariances,
and the start whose mixture has the largest likelihood is kept; what is returned are the diagonals of its groups. An
autoencoder's codes lie in slanted groups, and a diagonal fit cuts one of them in two where it should tell two apart.
Codes of MNIST's digits after 33 epochs, two seeds, share of digits that agree with their group: .94 and .96 with full
covariances, .93 and .93 by the diagonals of these, .90 and .76 by the likeliest of four diagonal fits. A fit reads no
label.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from gen_jax.core import keys
from gen_jax.objectives.divergences import normal_log_prob

FEW = 5000  # points that a start sees, at most
FLOOR = 1e-3  # of a column's variance: the least that a group has
SAME = 0.03  # stands for the deviation of a column whose values are all one


class Mixture(NamedTuple):
    """Σ_k exp(logits_k) N(mean_k, diag exp(log_variance_k)); logits [K], means and log-variances [K, d]."""

    logits: jax.Array
    mean: jax.Array
    log_variance: jax.Array

    def log_joint(self, z: jax.Array) -> jax.Array:
        """log p(z, k): z [..., d] -> [..., K]."""
        each = normal_log_prob(z[..., None, :], self.mean, self.log_variance).sum(axis=-1)
        return each + jax.nn.log_softmax(self.logits)


class Slanted(NamedTuple):
    """Σ_k exp(logits_k) N(mean_k, covariance_k); logits [K], means [K, d], covariances [K, d, d]."""

    logits: jax.Array
    mean: jax.Array
    covariance: jax.Array

    def log_joint(self, z: jax.Array) -> jax.Array:
        """log p(z, k): z [N, d] -> [N, K]."""
        root = jnp.linalg.cholesky(self.covariance)
        inverse = jax.scipy.linalg.solve_triangular(root, jnp.broadcast_to(jnp.eye(z.shape[1]), root.shape), lower=True)
        white = jnp.einsum("kij,nj->nki", inverse, z) - jnp.einsum("kij,kj->ki", inverse, self.mean)
        half_log_det = jnp.log(jnp.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
        each = -0.5 * ((white**2).sum(axis=-1) + z.shape[1] * jnp.log(2 * jnp.pi)) - half_log_det
        return each + jax.nn.log_softmax(self.logits)


@jax.default_matmul_precision("highest")  # variances are differences of second moments
def fit(
    points: jax.Array, key: jax.Array, components: int, starts: int = 48, lloyd: int = 20, steps: int = 40
) -> tuple[Mixture, jax.Array]:
    """(the diagonals of the likeliest mixture of full covariances, their mean log-likelihood) of points [N, d].

    Columns count alike, whatever their scales. Each start takes `steps` of EM on at most FEW of the points, the
    likeliest sixth of them as many on all, and the likeliest of these twice as many more. FLOOR of a column's own
    variance is added to every variance.
    """
    centre, deviation = points.mean(axis=0), points.std(axis=0)
    scale = jnp.where(deviation > 1e-5 * jnp.abs(centre), deviation, SAME)  # float32's rounding is no deviation
    whole = (points - centre) / scale
    few = whole[:: -(-len(points) // FEW)]

    def improved(mixture: Slanted, points: jax.Array, count: int) -> tuple[Slanted, jax.Array]:
        """(the mixture after so many steps, its mean log-likelihood)."""
        step = lambda _, m: _maximised(points, jax.nn.softmax(m.log_joint(points)), m.mean)  # noqa: E731
        mixture = jax.lax.fori_loop(0, count, step, mixture)
        value = jax.nn.logsumexp(mixture.log_joint(points), axis=-1).mean()
        value = jnp.where(jnp.isfinite(value), value, -jnp.inf)  # or a start that broke would be the largest
        # Rounded, starts that end at one mixture are equal, and the first of them is taken on every machine.
        return mixture, jnp.round(value, 3)

    def begun(key: jax.Array) -> tuple[Slanted, jax.Array]:
        means = _spread(few, key, components)
        means = jax.lax.fori_loop(0, lloyd, lambda _, m: _moved(few, m), means)
        owned = jax.nn.one_hot(_distances(few, means).argmin(axis=1), components)
        return improved(_maximised(few, owned, means), few, steps)

    found, values = jax.lax.map(begun, jax.random.split(keys.named(key, "starts"), starts))
    _, likeliest = jax.lax.top_k(values, -(-starts // 6))
    found = Slanted(*(leaf[likeliest] for leaf in found))
    found, values = jax.lax.map(lambda mixture: improved(mixture, whole, steps), found)
    best, _ = improved(Slanted(*(leaf[values.argmax()] for leaf in found)), whole, 2 * steps)
    variance = jnp.diagonal(best.covariance, axis1=1, axis2=2)
    kept = Mixture(best.logits, best.mean * scale + centre, jnp.log(variance) + 2 * jnp.log(scale))
    return kept, jax.nn.logsumexp(kept.log_joint(points), axis=-1).mean()


def _distances(points: jax.Array, means: jax.Array) -> jax.Array:
    """Squared, [N, K]."""
    return ((points**2).sum(axis=1)[:, None] + (means**2).sum(axis=1) - 2 * points @ means.T).clip(min=0)


def _spread(points: jax.Array, key: jax.Array, components: int) -> jax.Array:
    """k-means++: each mean a point, drawn by its squared distance to those before. [K, d]."""
    first, *others = jax.random.split(key, components)
    means = [points[jax.random.randint(first, (), 0, len(points))]]
    nearest = ((points - means[0]) ** 2).sum(axis=1)
    for own in others:
        means.append(points[jax.random.categorical(own, jnp.log(nearest + 1e-12))])
        nearest = jnp.minimum(nearest, ((points - means[-1]) ** 2).sum(axis=1))
    return jnp.stack(means)


def _moved(points: jax.Array, means: jax.Array) -> jax.Array:
    """One of Lloyd's steps; a mean without points stays."""
    owned = jax.nn.one_hot(_distances(points, means).argmin(axis=1), len(means))
    count = owned.sum(axis=0)[:, None]
    return jnp.where(count > 0, owned.T @ points / jnp.maximum(count, 1.0), means)


def _maximised(points: jax.Array, share: jax.Array, means: jax.Array) -> Slanted:
    """The mixture that `share` [N, K] of the points makes likeliest; a component without points keeps its mean and has
    the points' own variances."""
    count = share.sum(axis=0)
    there, count = count > 1e-3, jnp.maximum(count, 1e-3)
    mean = jnp.where(there[:, None], share.T @ points / count[:, None], means)
    square = jnp.einsum("nk,ni,nj->kij", share, points, points) / count[:, None, None]
    own = square - mean[:, :, None] * mean[:, None, :]
    covariance = jnp.where(there[:, None, None], own, jnp.diag(points.var(axis=0)))
    covariance += FLOOR * jnp.eye(points.shape[1])
    return Slanted(jnp.log(count / len(points)), mean, covariance)
