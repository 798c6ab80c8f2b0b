"""A mixture of diagonal Gaussians fitted by expectation-maximisation inside a compiled step (Dempster et al. 1977).

k-means++ (Arthur & Vassilvitskii 2007) and Lloyd's steps give each of several starts; the start whose mixture has the
largest likelihood is kept. No label and no choice by hand enter.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from gen_jax.core import keys
from gen_jax.objectives.divergences import normal_log_prob


class Mixture(NamedTuple):
    """Σ_k exp(logits_k) N(mean_k, diag exp(log_variance_k)); logits [K], means and log-variances [K, d]."""

    logits: jax.Array
    mean: jax.Array
    log_variance: jax.Array

    def log_joint(self, z: jax.Array) -> jax.Array:
        """log p(z, k): z [..., d] -> [..., K]."""
        each = normal_log_prob(z[..., None, :], self.mean, self.log_variance).sum(axis=-1)
        return each + jax.nn.log_softmax(self.logits)


def fit(
    points: jax.Array, key: jax.Array, components: int, starts: int = 8, lloyd: int = 20, steps: int = 40
) -> tuple[Mixture, jax.Array]:
    """(the mixture, its mean log-likelihood) of points [N, d]. A variance is at least 1e-3 of the points' own."""
    floor = 1e-3 * points.var(axis=0) + 1e-6

    def one(key: jax.Array) -> tuple[Mixture, jax.Array]:
        means = _spread(points, key, components)
        means = jax.lax.fori_loop(0, lloyd, lambda _, m: _moved(points, m), means)
        owned = jax.nn.one_hot(_distances(points, means).argmin(axis=1), components)
        mixture = _maximised(points, owned, means, floor)
        mixture = jax.lax.fori_loop(
            0, steps, lambda _, m: _maximised(points, jax.nn.softmax(m.log_joint(points)), m.mean, floor), mixture
        )
        return mixture, jax.nn.logsumexp(mixture.log_joint(points), axis=-1).mean()

    found, values = jax.lax.map(one, jax.random.split(keys.named(key, "starts"), starts))
    best = values.argmax()
    return Mixture(*(leaf[best] for leaf in found)), values[best]


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


def _maximised(points: jax.Array, share: jax.Array, means: jax.Array, floor: jax.Array) -> Mixture:
    """The mixture that `share` [N, K] of the points makes likeliest; a component without points keeps its mean."""
    count = share.sum(axis=0)[:, None]
    there, count = count > 1e-3, jnp.maximum(count, 1e-3)
    mean = jnp.where(there, share.T @ points / count, means)
    square = share.T @ points**2 / count
    variance = jnp.maximum(jnp.where(there, square - mean**2, points.var(axis=0)), floor)
    return Mixture(jnp.log(count[:, 0] / len(points)), mean, jnp.log(variance))
