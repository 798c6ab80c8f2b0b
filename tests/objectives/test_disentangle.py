"""The aggregate posterior: a decomposition that adds up, estimators against enumeration, covariances against numpy."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gen_jax.objectives import disentangle as dis
from gen_jax.objectives.disentangle import Aggregate, Dip
from gen_jax.objectives.divergences import kl_standard_normal, normal_sample

N, L = 6, 3
RNG = np.random.default_rng(0)
MEAN = RNG.normal(size=(N, L))
LOG_VARIANCE = RNG.normal(size=(N, L)) - 0.5
NOISE = RNG.normal(size=(N, L))
Z = MEAN + np.exp(LOG_VARIANCE / 2) * NOISE


def log_normal(z, mean, log_variance):
    return -0.5 * (np.log(2 * np.pi) + log_variance + (z - mean) ** 2 / np.exp(log_variance))


def exact_terms():
    """MI, TC and dimension-wise KL at Z with q(z) over all N examples: numpy, in probabilities rather than logs."""
    pairs = np.exp(log_normal(Z[:, None], MEAN[None], LOG_VARIANCE[None]))  # [sample, component, d]
    log_q = np.log(pairs.prod(-1).mean(1))
    log_product = np.log(pairs.mean(1)).sum(-1)
    log_q_x = log_normal(Z, MEAN, LOG_VARIANCE).sum(-1)
    return log_q_x - log_q, log_q - log_product, log_product - log_normal(Z, 0, 0).sum(-1)


def decompose(rows, size, how):
    arrays = (jnp.asarray(a[rows]) for a in (Z, MEAN, LOG_VARIANCE))
    return jax.jit(dis.decompose, static_argnums=(3, 4))(*arrays, size, how)


@pytest.mark.parametrize("how", [Aggregate.FULL, Aggregate.STRATIFIED])
def test_the_decomposition_is_exact_on_the_full_data(how):
    with jax.enable_x64(True):
        for actual, expected in zip(decompose(np.arange(N), N, how), exact_terms(), strict=True):
            np.testing.assert_allclose(actual, expected, rtol=1e-10)


@pytest.mark.parametrize("how", list(Aggregate))
def test_the_three_parts_add_up_to_the_kl(how):
    # Pointwise they add up to log q(z|x) - log p(z), whose mean over many z is the analytic KL.
    parts = dis.decompose(*(jnp.asarray(a, jnp.float32) for a in (Z, MEAN, LOG_VARIANCE)), 50, how)
    expected = (log_normal(Z, MEAN, LOG_VARIANCE) - log_normal(Z, 0, 0)).sum(-1)
    np.testing.assert_allclose(sum(parts), expected, rtol=1e-4, atol=1e-5)
    draws = 2000
    mean, log_variance = jnp.asarray(MEAN, jnp.float32), jnp.asarray(LOG_VARIANCE, jnp.float32)
    noise = jax.random.normal(jax.random.key(0), (draws, N, L))

    def total(n):
        return sum(dis.decompose(normal_sample(mean, log_variance, n), mean, log_variance, 50, how))

    totals = jax.jit(jax.vmap(total))(noise)
    kl = kl_standard_normal(mean, log_variance).sum(-1)
    assert np.all(np.abs(totals.mean(0) - kl) < 4 * totals.std(0) / np.sqrt(draws))


def estimated_q(rows, how):
    """The estimate of q(z_0), z_0's own example being rows[0]."""
    parts = decompose(np.asarray(rows), N, how)
    log_q_x = log_normal(Z[0], MEAN[0], LOG_VARIANCE[0]).sum()
    return np.exp(log_q_x - float(parts.mutual_information[0]))


def test_stratified_sampling_is_unbiased_for_q_and_weighted_sampling_is_low():
    with jax.enable_x64(True):
        q = np.exp(log_normal(Z[0], MEAN, LOG_VARIANCE).sum(-1)).mean()
        others = list(itertools.combinations(range(1, N), 2))
        stratified = np.mean([estimated_q((0, *pair), Aggregate.STRATIFIED) for pair in others])
        weighted = np.mean([estimated_q((0, *pair), Aggregate.WEIGHTED) for pair in others])
    assert stratified == pytest.approx(q, rel=1e-9)
    assert weighted < q


def test_permuted_dimensions_keep_their_values_and_lose_their_companions():
    z = jnp.tile(jnp.arange(400.0)[:, None], (1, 3))
    shuffled = np.asarray(dis.permute_dims(z, jax.random.key(0)))
    np.testing.assert_array_equal(np.sort(shuffled, axis=0), z)
    assert np.abs(np.corrcoef(shuffled.T) - np.eye(3)).max() < 0.2
    np.testing.assert_array_equal(shuffled, dis.permute_dims(z, jax.random.key(0)))


def test_density_ratio_recovers_a_known_total_correlation():
    # Two unit Gaussians with correlation r: TC = -½ log(1 - r²), and the optimal logit is known.
    r = 0.8
    z = np.random.default_rng(1).multivariate_normal(np.zeros(2), [[1, r], [r, 1]], size=100_000)
    log_ratio = -0.5 * np.log(1 - r**2) - (r**2 * (z**2).sum(1) - 2 * r * z.prod(1)) / (2 * (1 - r**2))
    estimate = float(dis.density_ratio_tc(jnp.asarray(log_ratio, jnp.float32)))
    assert estimate == pytest.approx(-0.5 * np.log(1 - r**2), abs=4 * log_ratio.std() / np.sqrt(1e5))
    zero = jnp.zeros(4)
    assert float(dis.density_ratio_loss(zero, zero)) == pytest.approx(np.log(2))


@pytest.mark.parametrize("kind", list(Dip))
def test_dip_vae_is_numpys_covariance(kind):
    covariance = np.cov(MEAN.T, ddof=0)
    if kind is Dip.II:
        covariance = covariance + np.diag(np.exp(LOG_VARIANCE).mean(0))
    off = covariance - np.diag(np.diag(covariance))
    expected = 2.0 * (off**2).sum() + 20.0 * ((np.diag(covariance) - 1) ** 2).sum()
    actual = dis.dip_vae(jnp.asarray(MEAN, jnp.float32), jnp.asarray(LOG_VARIANCE, jnp.float32), 2.0, 20.0, kind)
    assert float(actual) == pytest.approx(expected, rel=1e-4)
