"""The mixture fitted inside a step, against scikit-learn's, and the images' jitter."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.mixture import GaussianMixture

from gen_jax.objectives import mixture_fit
from gen_jax.objectives.jitter import jitter


def points(seed=0, count=400):
    generator = np.random.default_rng(seed)
    centres = np.array([[0.0, 0, 0], [8, 0, 0], [0, 8, 0], [0, 0, 8]])
    spread = np.array([0.5, 1.0, 0.3])
    label = generator.choice(4, count, p=[0.1, 0.2, 0.3, 0.4])
    return (centres[label] + spread * generator.normal(size=(count, 3))).astype(np.float32), label


def test_it_is_as_likely_as_scikit_learns_and_finds_the_groups():
    x, label = points()
    found, value = jax.jit(lambda x: mixture_fit.fit(x, jax.random.key(0), 4))(x)
    other = GaussianMixture(4, covariance_type="diag", n_init=8, random_state=0).fit(x)
    assert float(value) >= other.score(x) - 0.01
    groups = np.asarray(found.log_joint(x)).argmax(axis=1)
    assert all(len(np.unique(groups[label == c])) == 1 for c in range(4))
    np.testing.assert_allclose(np.sort(np.exp(found.logits)), np.sort(np.bincount(label) / len(label)), atol=0.01)
    log_p = jax.nn.logsumexp(found.log_joint(x), axis=1)
    np.testing.assert_allclose(log_p.mean(), value, rtol=1e-5)


def test_slanted_groups_are_told_apart_where_a_diagonal_fit_cuts_across_them():
    generator = np.random.default_rng(1)
    along, across = np.array([1.0, 1.0]) / np.sqrt(2), np.array([1.0, -1.0]) / np.sqrt(2)
    label = np.repeat([0, 1], 500)
    x = generator.normal(size=(1000, 1)) * along + 0.3 * generator.normal(size=(1000, 1)) * across
    x = (x + np.where(label == 1, 0.7, -0.7)[:, None] * across + [100.0, -50.0]).astype(np.float32)
    found, _ = mixture_fit.fit(jnp.asarray(x), jax.random.key(0), 2)
    agreement = lambda mean: max(np.mean(label == mean), np.mean(label != mean))  # noqa: E731
    other = GaussianMixture(2, covariance_type="full", n_init=8, random_state=0).fit(x)
    assert agreement(other.predict(x)) > 0.98
    assert agreement(GaussianMixture(2, covariance_type="diag", n_init=8, random_state=0).fit_predict(x)) < 0.7
    for c in range(2):  # the diagonals of the two, in the order of their means
        order = np.argsort(other.means_[:, 0])[c], np.argsort(np.asarray(found.mean)[:, 0])[c]
        np.testing.assert_allclose(found.mean[order[1]], other.means_[order[0]], atol=0.05)
        variance = np.diag(other.covariances_[order[0]])
        np.testing.assert_allclose(np.exp(found.log_variance[order[1]]), variance, rtol=0.01)


def test_the_densities_of_full_covariances_are_scipys():
    generator = np.random.default_rng(2)
    root = np.tril(generator.normal(size=(3, 4, 4))) + 2 * np.eye(4)
    mixture = mixture_fit.Slanted(*(jnp.asarray(a, jnp.float32) for a in (
        [0.3, -1.0, 0.7], generator.normal(size=(3, 4)), root @ root.transpose(0, 2, 1)
    )))  # fmt: skip
    z = generator.normal(size=(7, 4)).astype(np.float32)
    wanted = np.stack([multivariate_normal(m, c).logpdf(z) for m, c in zip(*mixture[1:], strict=True)], axis=1)
    wanted += np.asarray(mixture.logits) - logsumexp(mixture.logits)
    np.testing.assert_allclose(mixture.log_joint(z), wanted, rtol=2e-5)


def test_equal_points_and_too_many_components_give_finite_mixtures():
    constant = jnp.asarray(points(count=100)[0]).at[:, 1].set(0.37)  # its deviation is float32's rounding
    for x in (jnp.zeros((20, 2)), jnp.asarray(points(count=6)[0]), constant):
        found, value = mixture_fit.fit(x, jax.random.key(1), 5, starts=2, lloyd=3, steps=3)
        assert all(bool(jnp.isfinite(leaf).all()) for leaf in (*found, value))


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_columns_count_alike_whatever_their_scales(scale):
    x, label = points()
    x = x * np.array([scale, 1.0, 1 / scale], np.float32)
    found, _ = mixture_fit.fit(jnp.asarray(x), jax.random.key(0), 4)
    groups = np.asarray(found.log_joint(x)).argmax(axis=1)
    assert all(len(np.unique(groups[label == c])) == 1 for c in range(4))


def test_jitter_moves_images_a_little_each_by_itself():
    image = np.full((1, 12, 12, 1), -1.0, np.float32)
    image[:, 4:8, 4:8] = 1.0
    x = jnp.tile(image, (3, 1, 1, 1))
    moved = jitter(x, jax.random.key(0))
    assert moved.shape == x.shape
    assert float(moved.min()) >= -1.0
    assert float(moved.max()) <= 1.0
    assert not np.allclose(moved[0], moved[1])
    assert np.allclose(moved[0, 0, 0], -1.0)
    np.testing.assert_allclose(jitter(x, jax.random.key(0), 0.0, 0.0, 0.0), x, atol=1e-5)
    np.testing.assert_allclose(jitter(x[:1], jax.random.key(0)), moved[:1], atol=1e-6)  # not its neighbours'
    shifted = jitter(x, jax.random.key(0), 0.0, 0.0, 0.25)  # the mass only moves
    np.testing.assert_allclose((shifted + 1).sum(axis=(1, 2, 3)), (x + 1).sum(axis=(1, 2, 3)), rtol=1e-4)
