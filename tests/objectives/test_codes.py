"""InfoGAN's codes and bound, and AC-GAN's classifier, against scipy and numbers worked by hand."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from gen_jax.objectives import classifier, infogan

KEY = jax.random.key(5)
RNG = np.random.default_rng(2)


def test_categorical_codes():
    codes = np.asarray(infogan.draw_categorical(KEY, 3000, 5, groups=2))
    assert codes.shape == (3000, 10)
    np.testing.assert_array_equal(codes.reshape(3000, 2, 5).sum(-1), 1)
    picks = codes.reshape(3000, 2, 5).argmax(-1)
    assert stats.chisquare(np.bincount(picks[:, 0], minlength=5)).pvalue > 1e-3
    pairs = np.bincount(picks[:, 0] * 5 + picks[:, 1], minlength=25)
    assert stats.chisquare(pairs).pvalue > 1e-3  # groups are independent
    halves = jax.vmap(lambda _: infogan.draw_categorical(KEY, 1500, 5, 2), axis_name="data", axis_size=2, in_axes=None)
    np.testing.assert_array_equal(halves(0).reshape(3000, 10), codes)


def test_continuous_codes():
    codes = np.asarray(infogan.draw_continuous(KEY, 3000, 2))
    for column in codes.T:
        assert stats.kstest(column, stats.uniform(-1, 2).cdf).pvalue > 1e-3
    assert abs(np.corrcoef(codes.T)[0, 1]) < 0.06


def test_likelihoods_against_scipy():
    codes, mean, log_variance = RNG.normal(size=(3, 6, 2))
    expected = stats.norm.logpdf(codes, mean, np.exp(log_variance / 2)).sum(-1)
    with jax.enable_x64(True):
        found = infogan.gaussian_log_likelihood(*map(jnp.asarray, (codes, mean, log_variance)))
        np.testing.assert_allclose(found, expected, rtol=1e-10)
        unit = infogan.gaussian_log_likelihood(jnp.asarray(codes), jnp.asarray(mean))
        np.testing.assert_allclose(unit, stats.norm.logpdf(codes, mean, 1).sum(-1), rtol=1e-10)
    probabilities = np.array([[0.1, 0.9, 0.25, 0.75]])
    logits = jnp.log(probabilities) + jnp.array([[3.0, 3.0, -1.0, -1.0]])  # shifts within a group change nothing
    found = infogan.categorical_log_likelihood(logits, jnp.array([[1.0, 0.0, 0.0, 1.0]]), groups=2)
    np.testing.assert_allclose(found, [np.log(0.1 * 0.75)], rtol=1e-5)


def test_bound_is_zero_for_ignorance_and_entropy_for_certainty():
    codes = infogan.draw_categorical(KEY, 64, 4)
    entropy = infogan.categorical_entropy(4)
    ignorant = infogan.categorical_log_likelihood(jnp.zeros((64, 4)), codes)
    np.testing.assert_allclose(infogan.mutual_information(ignorant, entropy), 0.0, atol=1e-6)
    certain = infogan.categorical_log_likelihood(100.0 * codes, codes)
    np.testing.assert_allclose(infogan.mutual_information(certain, entropy), np.log(4), rtol=1e-6)
    assert infogan.continuous_entropy(3) == 3 * stats.uniform(-1, 2).entropy()


def test_classifier():
    probabilities = np.array([[0.7, 0.2, 0.1], [0.3, 0.3, 0.4], [0.5, 0.4, 0.1]])
    labels = jnp.array([0, 1, 0])
    value, slope = jax.value_and_grad(classifier.cross_entropy)(jnp.log(probabilities) + 2.0, labels)
    np.testing.assert_allclose(value, -np.log(0.7 * 0.3 * 0.5) / 3, rtol=1e-6)
    np.testing.assert_allclose(slope, (probabilities - np.eye(3)[[0, 1, 0]]) / 3, atol=1e-7)
    np.testing.assert_allclose(classifier.accuracy(jnp.log(probabilities), labels), 2 / 3, rtol=1e-6)
