"""Bounds on a linear-Gaussian VAE (probabilistic PCA), whose log p(x), posterior and gradients are known exactly."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from scipy import stats
from scipy.special import logsumexp

from gen_jax.core.errors import UserError
from gen_jax.objectives import bounds
from gen_jax.objectives.bounds import Bound, Estimator, Terms
from gen_jax.objectives.divergences import normal_log_prob, normal_sample

D, L, SIGMA = 4, 2, 0.7
_Q, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(D, L)))
W = (_Q * [1.5, 0.8]).T  # [L, D] with orthogonal rows: the posterior is diagonal
X = np.random.default_rng(1).normal(size=(3, D))
LOG_P = stats.multivariate_normal(np.zeros(D), W.T @ W + SIGMA**2 * np.eye(D)).logpdf(X)
PRECISION = 1 + np.array([1.5, 0.8]) ** 2 / SIGMA**2
EXACT = {  # p(z|x)
    "mean": jnp.asarray(X @ W.T / SIGMA**2 / PRECISION, jnp.float32),
    "log_variance": jnp.asarray(np.tile(-np.log(PRECISION), (3, 1)), jnp.float32),
}
CRUDE = {"mean": EXACT["mean"] + 0.25, "log_variance": EXACT["log_variance"] + 0.4}


def terms_of(weights, images=X):
    def terms(latents, posterior):
        return Terms(
            jnp.sum(normal_log_prob(jnp.asarray(images, latents.dtype), latents @ weights, 2 * np.log(SIGMA)), axis=-1),
            jnp.sum(normal_log_prob(latents), axis=-1),
            jnp.sum(normal_log_prob(latents, posterior["mean"], posterior["log_variance"]), axis=-1),
        )

    return terms


def run(posterior, key, samples, bound=Bound.ELBO, estimator=Estimator.REPARAMETERISED, weights=W, **settings):
    noise = jax.random.normal(key, (samples, *posterior["mean"].shape))
    latents = normal_sample(posterior["mean"], posterior["log_variance"], noise)
    return bounds.estimate(terms_of(jnp.asarray(weights)), latents, posterior, bound, estimator, **settings)[0]


@pytest.mark.parametrize("bound", list(Bound))
def test_every_bound_is_exact_at_the_true_posterior(bound):
    groups = 2 if bound in (Bound.MIWAE, Bound.PIWAE) else 1
    np.testing.assert_allclose(run(EXACT, jax.random.key(0), 4, bound, groups=groups), LOG_P, atol=2e-5)


def test_bounds_rise_with_samples_towards_log_p():
    # 4,000 repeats: the mean bound over examples for k = 1, 4, 16, 64; differences are many standard errors.
    keys = jax.random.split(jax.random.key(1), 4000)
    means, errors = [], []
    for samples in (1, 4, 16, 64):
        values = np.asarray(jax.jit(jax.vmap(lambda k, n=samples: run(CRUDE, k, n, Bound.IWAE).mean()))(keys))
        means.append(values.mean())
        errors.append(values.std() / np.sqrt(len(values)))
    assert np.all(np.diff(means) > 4 * np.array(errors[1:]))
    assert means[-1] + 4 * errors[-1] < LOG_P.mean()
    assert LOG_P.mean() - means[-1] < 0.05 * (LOG_P.mean() - means[0])
    kl = 0.5 * np.sum(0.25**2 * PRECISION + np.exp(0.4) - 1 - 0.4)  # KL(q || p(z|x)) = log p(x) - ELBO
    assert means[0] == pytest.approx(LOG_P.mean() - kl, abs=4 * errors[0])


def test_values_are_numpys():
    log_w = np.random.default_rng(2).normal(size=(6, 3)) * 3
    iwae = logsumexp(log_w, axis=0) - np.log(6)
    by_group = np.stack([logsumexp(log_w[i : i + 3], axis=0) - np.log(3) for i in (0, 3)]).mean(0)
    expected = {
        Bound.ELBO: log_w.mean(0),
        Bound.IWAE: iwae,
        Bound.MIWAE: by_group,
        Bound.PIWAE: iwae,
        Bound.CIWAE: 0.3 * log_w.mean(0) + 0.7 * iwae,
    }
    for bound, value in expected.items():
        terms = Terms(jnp.asarray(log_w, jnp.float32), jnp.zeros((6, 3)), jnp.zeros((6, 3)))
        actual, _ = bounds.estimate(lambda z, p, t=terms: t, jnp.zeros((6, 3, 1)), {}, bound, groups=2, weight=0.3)
        np.testing.assert_allclose(actual, value, rtol=1e-5)


def plain(posterior, weights, noise, bound):
    """The textbook objective: every path differentiable, no surrogate."""
    latents = normal_sample(posterior["mean"], posterior["log_variance"], noise)
    log_w = bounds.log_weights(terms_of(weights)(latents, posterior))
    table = {
        Bound.ELBO: bounds.elbo,
        Bound.IWAE: bounds.iwae,
        Bound.MIWAE: lambda w: bounds.miwae(w, 2),
        Bound.CIWAE: lambda w: bounds.ciwae(w, 0.3),
    }
    return -table[bound](log_w).mean()


def surrogate(posterior, weights, noise, bound, estimator=Estimator.REPARAMETERISED):
    latents = normal_sample(posterior["mean"], posterior["log_variance"], noise)
    groups = 2 if bound in (Bound.MIWAE, Bound.PIWAE) else 1
    value, _ = bounds.estimate(terms_of(weights), latents, posterior, bound, estimator, groups=groups, weight=0.3)
    return -value.mean()


def jitted_grad(function, by=0):
    """Gradient of `plain` or `surrogate`, compiled once instead of operation by operation."""
    return jax.jit(jax.grad(function, by), static_argnums=(3, 4) if function is surrogate else 3)


def assert_trees_close(left, right, **tolerance):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **tolerance), left, right)


@pytest.mark.parametrize("bound", [Bound.ELBO, Bound.IWAE, Bound.MIWAE, Bound.CIWAE])
def test_reparameterised_gradients_are_those_of_the_plain_bound(bound):
    noise = jax.random.normal(jax.random.key(3), (6, 3, L))
    with jax.enable_x64(True):
        arguments = jax.tree.map(lambda a: jnp.asarray(a, jnp.float64), (CRUDE, W, noise))
        actual = jax.jit(jax.value_and_grad(surrogate, (0, 1)), static_argnums=3)(*arguments, bound)
        expected = jax.jit(jax.value_and_grad(plain, (0, 1)), static_argnums=3)(*arguments, bound)
        assert_trees_close(actual, expected, rtol=1e-10, atol=1e-13)


def test_piwae_gives_each_player_its_own_objective():
    with jax.enable_x64(True):
        noise = jnp.asarray(np.random.default_rng(4).normal(size=(6, 3, L)))
        posterior, weights = jax.tree.map(lambda a: jnp.asarray(a, jnp.float64), (CRUDE, W))
        encoder, decoder = jitted_grad(surrogate, (0, 1))(posterior, weights, noise, Bound.PIWAE)
        assert_trees_close(encoder, jitted_grad(plain, 0)(posterior, weights, noise, Bound.MIWAE), rtol=1e-9)
        assert_trees_close(decoder, jitted_grad(plain, 1)(posterior, weights, noise, Bound.IWAE), rtol=1e-9)


def test_piwae_keeps_the_encoders_gradient_where_the_decoders_weight_underflows():
    # The second group is 200 nats worse: its IWAE weight is 0 in float32, its MIWAE weights are not.
    offsets = jnp.asarray([0.0, 0.0, -200.0, -200.0])[:, None]

    def loss(z, bound):
        terms = Terms(-0.5 * (z**2).sum(-1) + offsets, jnp.zeros((4, 1)), jnp.zeros((4, 1)))
        return terms if bound is None else bounds.estimate(lambda u, p: loss(u, None), z, {}, bound, groups=2)[0].sum()

    z = jnp.asarray([0.3, -0.5, 0.9, 0.2])[:, None, None]
    np.testing.assert_allclose(
        jax.jit(jax.grad(loss), static_argnums=1)(z, Bound.PIWAE),
        jax.jit(jax.grad(loss), static_argnums=1)(z, Bound.MIWAE),
        rtol=1e-4,
    )


def dreg_by_hand(posterior, noise):
    """Tucker et al. 2019, eq. 8, written out: Σ w̃² (∂ log w/∂z) dz/dφ with log q's parameters constant; 1 example."""
    constant = jax.lax.stop_gradient(posterior)

    def log_w(latents):
        return bounds.log_weights(terms_of(W)(latents, constant))

    latents, pull = jax.vjp(lambda p: normal_sample(p["mean"], p["log_variance"], noise), posterior)
    weights = jax.nn.softmax(log_w(latents), axis=0)
    by_sample = jax.grad(lambda z: log_w(z).sum())(latents)
    return pull(weights[..., None] ** 2 * by_sample)[0]


def test_dreg_is_the_papers_formula():
    with jax.enable_x64(True):
        noise = jnp.asarray(np.random.default_rng(5).normal(size=(6, 3, L)))
        posterior = jax.tree.map(lambda a: jnp.asarray(a, jnp.float64), CRUDE)
        actual = jitted_grad(surrogate)(posterior, W, noise, Bound.IWAE, Estimator.DREG)
        expected = jax.tree.map(lambda g: -g / 3, dreg_by_hand(posterior, noise))
        assert_trees_close(actual, expected, rtol=1e-10)


@pytest.mark.parametrize(
    ("bound", "estimator", "samples"),
    [(Bound.ELBO, Estimator.STL, 1), (Bound.IWAE, Estimator.DREG, 8), (Bound.MIWAE, Estimator.DREG, 8)],
)
def test_detached_estimators_are_unbiased_with_less_variance(bound, estimator, samples):
    # 20,000 independent draws; the same noise for both estimators, so the difference has a small standard error.
    # (STL is unbiased for the ELBO alone: for several samples it is biased, which is why DReG exists.)
    draws = 20_000
    noise = jax.random.normal(jax.random.key(6), (draws, samples, 3, L))

    def gradients(which):
        one = jax.grad(lambda p, n: surrogate(p, jnp.asarray(W), n, bound, which))
        flat = jax.jit(jax.vmap(lambda n: ravel_pytree(one(CRUDE, n))[0]))(noise)
        return np.asarray(flat, np.float64)

    base, detached = gradients(Estimator.REPARAMETERISED), gradients(estimator)
    difference = detached - base
    assert np.all(np.abs(difference.mean(0)) < 4 * difference.std(0) / np.sqrt(draws))
    assert detached.var(0).sum() < 0.8 * base.var(0).sum()


def test_stl_has_no_variance_at_the_true_posterior_where_the_plain_gradient_has():
    noise = jax.random.normal(jax.random.key(7), (4, 3, L))
    still = jitted_grad(surrogate)(EXACT, jnp.asarray(W), noise, Bound.ELBO, Estimator.STL)
    moving = jitted_grad(surrogate)(EXACT, jnp.asarray(W), noise, Bound.ELBO)
    assert max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(still)) < 1e-5
    assert max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(moving)) > 1e-2


@pytest.mark.parametrize("estimator", [Estimator.STL, Estimator.DREG])
def test_the_decoders_gradient_is_the_same_under_every_estimator(estimator):
    noise = jax.random.normal(jax.random.key(8), (6, 3, L))
    by_weights = jitted_grad(surrogate, 1)
    expected = by_weights(CRUDE, jnp.asarray(W), noise, Bound.IWAE)
    np.testing.assert_allclose(
        by_weights(CRUDE, jnp.asarray(W), noise, Bound.IWAE, estimator), expected, rtol=1e-5, atol=1e-7
    )


def test_log_q_may_ride_among_the_latents():
    # A posterior without an explicit density (a flow): log q comes with the sample.
    noise = jax.random.normal(jax.random.key(9), (6, 3, L))

    def ride(posterior):
        latents = normal_sample(posterior["mean"], posterior["log_variance"], noise)
        log_q = terms_of(jnp.asarray(W))(latents, posterior).log_posterior

        def terms(both, _):
            plain_terms = terms_of(jnp.asarray(W))(both[0], posterior)
            return Terms(plain_terms.log_likelihood, plain_terms.log_prior, both[1])

        return -bounds.estimate(terms, (latents, log_q), {}, Bound.PIWAE, groups=2)[0].mean()

    expected = jitted_grad(surrogate)(CRUDE, jnp.asarray(W), noise, Bound.PIWAE)
    assert_trees_close(jax.jit(jax.grad(ride))(CRUDE), expected, rtol=2e-4, atol=1e-6)


def test_beta_scales_the_kl_part():
    terms = Terms(jnp.full((1, 2), -5.0), jnp.full((1, 2), -3.0), jnp.full((1, 2), -1.0))
    np.testing.assert_allclose(bounds.log_weights(terms, 4.0), -13.0)


def test_streaming_equals_one_pass_and_states_its_error():
    log_w = np.random.default_rng(10).normal(size=(5, 8, 3)) * 2 - 300
    table = jnp.asarray(log_w, jnp.float32)
    result = bounds.streaming_log_likelihood(lambda i: table[i], chunks=5, samples_per_chunk=8)
    flat = log_w.reshape(40, 3)
    weights = np.exp(flat - flat.max(0))
    np.testing.assert_allclose(result.value, logsumexp(flat, axis=0) - np.log(40), rtol=1e-6)
    np.testing.assert_allclose(result.effective_samples, weights.sum(0) ** 2 / (weights**2).sum(0), rtol=1e-3)
    error = weights.std(0, ddof=1) / np.sqrt(40) / weights.mean(0)
    np.testing.assert_allclose(result.standard_error, error, rtol=1e-3)


def test_streaming_estimates_log_p_within_its_stated_error():
    posterior = jax.tree.map(lambda a: a, CRUDE)

    def chunk(index):
        key = jax.random.fold_in(jax.random.key(11), index)
        latents = normal_sample(
            posterior["mean"], posterior["log_variance"], jax.random.normal(key, (500, *posterior["mean"].shape))
        )
        return bounds.log_weights(terms_of(jnp.asarray(W, jnp.float32))(latents, posterior))

    result = jax.jit(lambda: bounds.streaming_log_likelihood(chunk, 20, 500))()
    assert np.all(np.abs(result.value - LOG_P) < 4 * result.standard_error)
    assert np.all(result.standard_error < 0.02)


def test_impossible_settings_are_refused():
    for bound, samples, groups in ((Bound.MIWAE, 5, 2), (Bound.IWAE, 4, 2), (Bound.ELBO, 0, 1), (Bound.PIWAE, 4, 1)):
        with pytest.raises(UserError):
            bounds.check(bound, Estimator.REPARAMETERISED, samples, groups)
    bounds.check(Bound.PIWAE, Estimator.DREG, 8, 2)
