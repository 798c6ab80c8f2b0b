"""Regularisers of the aggregate posterior q(z) = E_x q(z|x): total correlation (β-TCVAE, FactorVAE) and DIP-VAE.

All are statistics of the *global* batch: rows of other devices are gathered, or moments averaged, over the data axis.
"""

import math
from enum import Enum
from typing import NamedTuple

import jax
import jax.numpy as jnp

from gen_jax.core import axis, keys
from gen_jax.objectives.divergences import normal_log_prob


class Aggregate(Enum):
    """How q(z) is estimated from a minibatch of B out of N examples."""

    WEIGHTED = "weighted"  # 1/(N B) Σ_j q(z|x_j): minibatch-weighted sampling, a biased lower bound
    STRATIFIED = "stratified"  # z's own example weighs 1/N, the others share the rest: unbiased for q(z)
    FULL = "full"  # the minibatch is the data: 1/B Σ_j, exact


class Decomposition(NamedTuple):
    """KL(q(z|x) || p(z)) in three, [B] each at one sample z of each q(z|x); the sum is log q(z|x) - log p(z)."""

    mutual_information: jax.Array  # log q(z|x) - log q(z): between data index and code
    total_correlation: jax.Array  # log q(z) - log Π_d q(z_d)
    dimension_kl: jax.Array  # Σ_d log q(z_d) - log p(z_d)


def _log_aggregate_weights(own: jax.Array, batch: int, dataset_size: int, how: Aggregate) -> jax.Array:
    """log weights of q(z_b|x_j) in the estimate of q(z_b): [B_local, B]; `own` are the rows' global positions.

    Stratified: Chen et al. 2018, appendix C.2, weigh one arbitrary other example (N - M)/(N M) and the rest 1/M, with
    M = B - 1; its mean over that arbitrary choice is (N - 1)/(N M) for each, which has less variance and is exact for
    B = N. (The published code puts the special weights into the first two columns rather than on z's own example, so
    its three parts differ from these, by a tenth of a nat or two at B = 6 of N = 50.)
    """
    if how is Aggregate.FULL:
        return jnp.full((own.shape[0], batch), -math.log(batch))
    if how is Aggregate.WEIGHTED:
        return jnp.full((own.shape[0], batch), -math.log(batch) - math.log(dataset_size))
    is_own = own[:, None] == jnp.arange(batch)[None]
    other = math.log(dataset_size - 1) - math.log(dataset_size) - math.log(batch - 1)
    return jnp.where(is_own, -math.log(dataset_size), other)


def decompose(
    latents: jax.Array,
    mean: jax.Array,
    log_variance: jax.Array,
    dataset_size: int,
    how: Aggregate = Aggregate.STRATIFIED,
) -> Decomposition:
    """β-TCVAE's decomposition (Chen et al. 2018, eq. 2) against the standard normal prior, one sample an example.

    `latents` ~ N(mean, exp(log_variance)), each [B, d], B >= 2. The objective is reconstruction minus
    α MI + β TC + γ dimension-wise KL. Memory [B_local, B_global, d].
    """
    all_means, all_log_variances = axis.gather(mean), axis.gather(log_variance)
    own = axis.rows(latents.shape[0])
    weights = _log_aggregate_weights(own, all_means.shape[0], dataset_size, how).astype(latents.dtype)
    pairs = normal_log_prob(latents[:, None], all_means[None], all_log_variances[None])  # [b, j, d]
    log_q_x = jnp.sum(normal_log_prob(latents, mean, log_variance), axis=-1)
    log_q = jax.nn.logsumexp(jnp.sum(pairs, axis=-1) + weights, axis=1)
    log_q_product = jnp.sum(jax.nn.logsumexp(pairs + weights[..., None], axis=1), axis=-1)
    log_p = jnp.sum(normal_log_prob(latents), axis=-1)
    return Decomposition(log_q_x - log_q, log_q - log_q_product, log_q_product - log_p)


def permute_dims(latents: jax.Array, key: jax.Array) -> jax.Array:
    """Each latent dimension shuffled over the global batch by a permutation of its own: [B, d] -> [B, d].

    Draws of Π_d q(z_d) for FactorVAE's discriminator (Kim & Mnih 2018, algorithm 1). The same on every layout.
    """
    everyone = axis.gather(latents)
    rows, dims = everyone.shape
    streams = jax.random.split(keys.named(key, "permute_dims"), dims)
    orders = jax.vmap(lambda k: jax.random.permutation(k, rows))(streams)  # [d, B]
    mine = jnp.take(orders, axis.rows(latents.shape[0]), axis=1)  # [d, b]
    return jnp.take_along_axis(everyone, mine.T, axis=0)


def density_ratio_tc(logits: jax.Array) -> jax.Array:
    """TC ≈ E log D/(1 - D) over z ~ q(z): the mean logit, [B] -> scalar over local rows (Kim & Mnih 2018, eq. 3).

    D is the probability that z came from q(z) rather than from `permute_dims`, so logits are larger for "joint".
    """
    return jnp.mean(logits)


def density_ratio_loss(joint_logits: jax.Array, permuted_logits: jax.Array) -> jax.Array:
    """What FactorVAE's discriminator minimises: ½ the cross-entropy of each side, scalar over local rows."""
    return 0.5 * (jnp.mean(jax.nn.softplus(-joint_logits)) + jnp.mean(jax.nn.softplus(permuted_logits)))


class Dip(Enum):
    """Whose covariance DIP-VAE pulls towards the identity."""

    I = "dip_i"  # that of the posterior means  # noqa: E741
    II = "dip_ii"  # that of q(z): the means' covariance plus the mean posterior variance


def dip_vae(
    mean: jax.Array,
    log_variance: jax.Array,
    off_diagonal: float | jax.Array,
    diagonal: float | jax.Array,
    kind: Dip,
) -> jax.Array:
    """λ_od Σ_{i≠j} Cov_ij² + λ_d Σ_i (Cov_ii - 1)²: scalar, the same on every shard (Kumar et al. 2018, eq. 6-7).

    The covariance is of the global batch, divided by B. The paper takes λ_d = 10 λ_od for I and λ_d = λ_od for II.
    """
    centred = mean - axis.batch_mean(mean)
    covariance = axis.batch_mean(centred[:, :, None] * centred[:, None, :])
    if kind is Dip.II:
        covariance = covariance + jnp.diag(axis.batch_mean(jnp.exp(log_variance)))
    variances = jnp.diagonal(covariance)
    return off_diagonal * (jnp.sum(covariance**2) - jnp.sum(variances**2)) + diagonal * jnp.sum((variances - 1.0) ** 2)
