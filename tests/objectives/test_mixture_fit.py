"""The mixture fitted inside a step, against scikit-learn's, and the images' jitter."""

import jax
import jax.numpy as jnp
import numpy as np
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


def test_equal_points_and_too_many_components_give_finite_mixtures():
    for x in (jnp.zeros((20, 2)), jnp.asarray(points(count=6)[0])):
        found, value = mixture_fit.fit(x, jax.random.key(1), 5, starts=2, lloyd=3, steps=3)
        assert all(bool(jnp.isfinite(leaf).all()) for leaf in (*found, value))


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
