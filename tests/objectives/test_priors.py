"""Priors normalise on a grid, sample what they score, and agree with scipy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from gen_jax.objectives import flows, priors

MIXTURE = {
    "logits": jnp.log(jnp.asarray([0.2, 0.5, 0.3])),
    "mean": jnp.asarray([[0.0, 1.0], [-1.5, 0.0], [1.0, -1.0]]),
    "log_variance": jnp.asarray([[-1.0, -2.0], [0.0, -1.0], [-1.5, -0.5]]),
}


def encode(images):  # [K, 2, 2, 1] -> a Gaussian for each pseudo-input
    flat = images.reshape(images.shape[0], -1)
    return flat[:, :2], 0.5 * flat[:, 2:]


def affine_flow(params):
    return flows.chain([flows.coupling(lambda x: (x[:, ::-1] + params, x[:, ::-1] * 0.5), np.asarray([1.0, 0.0]))])


CASES = {
    "normal": (priors.standard_normal(2), {}),
    "mixture": (priors.gaussian_mixture(2, 3), MIXTURE),
    "vamp": (priors.vamp(encode, (2, 2, 1), 5), {"pseudo_inputs": jax.random.uniform(jax.random.key(3), (5, 2, 2, 1))}),
    "flow": (priors.flow_prior(affine_flow, 2, lambda key: jnp.zeros(2)), jnp.asarray([0.3, -0.2])),
}


@pytest.mark.parametrize("name", CASES)
def test_priors_integrate_to_one_and_sample_their_density(name):
    prior, params = CASES[name]
    axis = np.linspace(-8, 8, 321)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).astype(np.float32)
    density = np.exp(np.asarray(prior.log_prob(params, jnp.asarray(grid)), np.float64))
    assert density.shape == (321, 321)
    weights = density * (axis[1] - axis[0]) ** 2
    assert weights.sum() == pytest.approx(1.0, abs=2e-3)
    samples = np.asarray(prior.sample(params, jax.random.key(0), 20_000), np.float64)
    mean = np.einsum("ij,ijd->d", weights, grid)
    second = np.einsum("ij,ijd,ije->de", weights, grid, grid)
    products = samples[:, :, None] * samples[:, None, :]
    assert np.all(np.abs(samples.mean(0) - mean) < 4 * samples.std(0) / np.sqrt(20_000) + 3e-3)
    assert np.all(np.abs(products.mean(0) - second) < 4 * products.std(0) / np.sqrt(20_000) + 5e-3)


def test_mixture_is_scipys():
    z = np.random.default_rng(0).normal(size=(4, 3, 2))
    parts = [
        w * stats.multivariate_normal(m, np.diag(np.exp(v))).pdf(z)
        for w, m, v in zip(
            (0.2, 0.5, 0.3), np.asarray(MIXTURE["mean"]), np.asarray(MIXTURE["log_variance"]), strict=True
        )
    ]
    actual = priors.gaussian_mixture(2, 3).log_prob(MIXTURE, jnp.asarray(z, jnp.float32))
    np.testing.assert_allclose(actual, np.log(sum(parts)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_a_fresh_prior_scores_and_learns(name):
    prior, _ = CASES[name]
    params = prior.init(jax.random.key(0))
    z = jax.random.normal(jax.random.key(1), (6, 2))
    gradient = jax.grad(lambda p: prior.log_prob(p, z).mean())(params)
    assert jax.tree.structure(gradient) == jax.tree.structure(params)
    assert all(bool(jnp.any(leaf != 0)) and bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves(gradient))
