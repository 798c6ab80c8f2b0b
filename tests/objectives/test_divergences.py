"""Divergences against scipy, Monte Carlo and naive loops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from gen_jax.objectives import divergences as dv

RNG = np.random.default_rng(0)
MEAN, LOG_VARIANCE, OTHER, OTHER_LOG_VARIANCE = (jnp.asarray(RNG.normal(size=(3, 2)), jnp.float32) for _ in range(4))


def test_normal_log_prob_is_scipys():
    expected = stats.norm(MEAN, np.exp(0.5 * np.asarray(LOG_VARIANCE))).logpdf(OTHER)
    np.testing.assert_allclose(dv.normal_log_prob(OTHER, MEAN, LOG_VARIANCE), expected, rtol=1e-5)


@pytest.mark.parametrize("standard", [True, False])
def test_gaussian_kl_is_the_monte_carlo_mean_within_four_standard_errors(standard):
    other = (jnp.zeros_like(OTHER), jnp.zeros_like(OTHER)) if standard else (OTHER, OTHER_LOG_VARIANCE)
    draws = 50_000
    z = dv.normal_sample(MEAN, LOG_VARIANCE, jax.random.normal(jax.random.key(0), (draws, 3, 2)))
    terms = dv.normal_log_prob(z, MEAN, LOG_VARIANCE) - dv.normal_log_prob(z, *other)
    exact = dv.kl_standard_normal(MEAN, LOG_VARIANCE) if standard else dv.kl_normal(MEAN, LOG_VARIANCE, *other)
    assert np.all(np.abs(terms.mean(0) - exact) < 4 * terms.std(0) / np.sqrt(draws))
    np.testing.assert_allclose(
        dv.monte_carlo_kl(dv.normal_log_prob(z, MEAN, LOG_VARIANCE), dv.normal_log_prob(z, *other)),
        terms.mean(0),
        rtol=1e-3,
    )


def test_kl_normal_contains_the_standard_case_and_is_zero_on_itself():
    zeros = jnp.zeros_like(MEAN)
    np.testing.assert_allclose(
        dv.kl_normal(MEAN, LOG_VARIANCE, zeros, zeros), dv.kl_standard_normal(MEAN, LOG_VARIANCE), rtol=1e-5
    )
    np.testing.assert_allclose(dv.kl_normal(MEAN, LOG_VARIANCE, MEAN, LOG_VARIANCE), 0.0, atol=1e-6)


@pytest.mark.parametrize("unbiased", [True, False])
@pytest.mark.parametrize("kind", ["rbf", "imq"])
def test_mmd_is_a_naive_double_loop(kind, unbiased):
    x, y = RNG.normal(size=(5, 3)), RNG.normal(size=(4, 3)) + 0.5
    if kind == "rbf":
        kernel, function = dv.rbf([0.5, 2.0]), lambda s: np.exp(-s / 1.0) + np.exp(-s / 4.0)
    else:
        kernel = dv.wae_kernel(3, sigma=1.5)
        constants = 2 * 3 * 1.5**2 * np.array([0.1, 0.2, 0.5, 1, 2, 5, 10])
        function = lambda s: (constants / (constants + s)).sum()  # noqa: E731

    def mean_pairs(a, b, skip):
        values = [
            function(((p - q) ** 2).sum()) for i, p in enumerate(a) for j, q in enumerate(b) if not (skip and i == j)
        ]
        return np.mean(values)

    expected = mean_pairs(x, x, unbiased) + mean_pairs(y, y, unbiased) - 2 * mean_pairs(x, y, False)
    actual = dv.mmd(jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32), kernel, unbiased)
    assert float(actual) == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_unbiased_mmd_averages_to_zero_between_equals_and_biased_does_not():
    points = jax.random.normal(jax.random.key(0), (2000, 2, 8, 3))
    kernel = dv.wae_kernel(3)
    unbiased = np.asarray(jax.vmap(lambda p: dv.mmd(p[0], p[1], kernel))(points))
    biased = np.asarray(jax.vmap(lambda p: dv.mmd(p[0], p[1], kernel, unbiased=False))(points))
    assert abs(unbiased.mean()) < 4 * unbiased.std() / np.sqrt(2000)
    assert biased.mean() > 20 * biased.std() / np.sqrt(2000)
