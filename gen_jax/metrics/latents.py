"""What a posterior q(z|x) = N(mean, exp(log_variance)) does with its latents: activity, information, aggregate KL."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from gen_jax.core import keys
from gen_jax.metrics.neighbours import in_blocks
from gen_jax.metrics.precision import follows_dtype


class Activity(NamedTuple):
    """Number of active units and the variance of every unit's posterior mean over the data, [D]."""

    number: int
    variances: np.ndarray


@follows_dtype
def active_units(means, threshold: float = 0.01) -> Activity:
    """Units with Var_x E[z|x] > threshold (Burda et al. 2016, arXiv:1509.00519, 5.1); posterior means [N, D]."""
    variances = np.asarray(jnp.var(jnp.asarray(means), axis=0))
    return Activity(int((variances > threshold).sum()), variances)


def log_normal(z, mean, log_variance):
    """log N(z; mean, exp(log_variance)) summed over the last axis, nats."""
    quadratic = (z - mean) ** 2 * jnp.exp(-log_variance)
    return -0.5 * jnp.sum(quadratic + log_variance + jnp.log(2 * jnp.pi), axis=-1)


@follows_dtype
@partial(jax.jit, static_argnames="block")
def log_aggregate(z, means, log_variances, block: int = 500):
    """log q(z) = log (1/N) sum_n q(z|x_n) at points z [S, D], for posteriors [N, D]: [S], nats.

    Exact over the whole set, in O(block^2 D) memory: a running log-sum-exp over blocks of posteriors.
    """
    block = min(block, max(len(z), len(means)))
    parts = in_blocks(means, block), in_blocks(log_variances, block), in_blocks(jnp.ones(len(means), bool), block)

    def one_block(points):
        def add(total, part):
            centre, spread, there = part
            densities = log_normal(points[:, None], centre, spread)  # [block points, block posteriors]
            densities = jnp.where(there, densities, -jnp.inf)
            return jnp.logaddexp(total, jax.nn.logsumexp(densities, axis=1)), None

        return lax.scan(add, jnp.full(len(points), -jnp.inf, z.dtype), parts)[0]

    return lax.map(one_block, in_blocks(z, block)).reshape(-1)[: len(z)] - jnp.log(len(means))


class LatentInformation(NamedTuple):
    """E KL(q(z|x) || p(z)) = mutual information + KL(q(z) || p(z)), each in nats (Hoffman & Johnson 2016)."""

    mutual_information: float
    aggregate_kl: float
    mean_kl: float


@follows_dtype
def latent_information(means, log_variances, key, samples: int = 1, block: int = 500, log_prior=None):
    """I(x; z) under q, the KL of the aggregate posterior to the prior, and their sum, by Monte Carlo over the data set.

    Posteriors [N, D]; `samples` draws of z for each x; `log_prior(z [S, D]) -> [S]` (standard normal if None). The set
    is taken as the data distribution, so the mutual information cannot exceed log N: with N too small it saturates.
    """
    means, log_variances = jnp.asarray(means), jnp.asarray(log_variances)
    prior = log_prior or (lambda z: log_normal(z, jnp.zeros_like(z), jnp.zeros_like(z)))
    totals = []
    for draw in range(samples):
        noise = jax.random.normal(jax.random.fold_in(keys.named(key, "latents"), draw), means.shape, means.dtype)
        z = means + jnp.exp(log_variances / 2) * noise
        conditional = log_normal(z, means, log_variances)
        aggregate = log_aggregate(z, means, log_variances, block)
        priors = prior(z)
        totals.append([jnp.mean(conditional - aggregate), jnp.mean(aggregate - priors), jnp.mean(conditional - priors)])
    return LatentInformation(*np.mean(np.asarray(totals), axis=0).tolist())


def bits_per_dimension(nll, dimensions: int, levels: float | None = None):
    """Nats per example to bits per dimension: NLL / (D ln 2).

    `levels`: the width of the data's range in grey levels if the density is over data rescaled to unit width (256 for
    [0, 1]: + 8 bits); None if it is over the raw levels or is already discrete.
    """
    bits = nll / (dimensions * np.log(2))
    return bits if levels is None else bits + np.log2(levels)
