"""The VAE against the linear-Gaussian model, whose log p(x), posterior and ELBO are known exactly; and its refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from scipy import stats

from gen_jax.core.errors import UserError
from gen_jax.core.types import LABEL, weights
from gen_jax.models import flow_stacks, folding, memory
from gen_jax.models.vae import vae
from gen_jax.models.vae_body import vae_body
from gen_jax.nets import made, mlp
from gen_jax.objectives import flows, likelihoods, priors
from gen_jax.objectives.bounds import Bound, Estimate, Estimator
from gen_jax.objectives.likelihoods import Binarization
from gen_jax.objectives.rate import FreeBits, Rate, linear_warmup

D, L, SIGMA = 4, 2, 0.7
_Q, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(D, L)))
W = (_Q * [1.5, 0.8]).T  # orthogonal rows: the exact posterior is diagonal
PRECISION = 1 + np.array([1.5, 0.8]) ** 2 / SIGMA**2
X = np.random.default_rng(1).normal(size=(6, D)).astype(np.float32)
LOG_P = stats.multivariate_normal(np.zeros(D), W.T @ W + SIGMA**2 * np.eye(D)).logpdf(X)
HYPER = {"lr": 1e-3, "b1": 0.9, "b2": 0.999, "beta": 1.0}


class Encoder(nn.Module):
    """The exact posterior, off by `error` in mean and log-variance, and in the latter by `widen` too."""

    error: float = 0.0
    widen: float = 0.0

    @nn.compact
    def __call__(self, x, *, train):
        shift = self.param("shift", nn.initializers.constant(self.error), (L,))
        mean = x @ jnp.asarray(W.T / SIGMA**2 / PRECISION, jnp.float32) + shift
        return mean, jnp.broadcast_to(
            -jnp.log(jnp.asarray(PRECISION, jnp.float32)) + self.error + self.widen, mean.shape
        )


class Decoder(nn.Module):
    @nn.compact
    def __call__(self, z, *, train):
        return z @ self.param("kernel", lambda key: jnp.asarray(W, jnp.float32))


def linear(error=0.0, widen=0.0, **options):
    chosen = {"likelihood": likelihoods.gaussian(SIGMA), "shape": (D,), "hyper": HYPER, **options}
    algorithm = vae(vae_body(chosen.pop("encoder", Encoder(error, widen)), Decoder(), **chosen))
    return algorithm, weights(jax.jit(algorithm.init)(jax.random.key(0)))


def gap(error):
    """KL(q || p(z|x)) = log p(x) - ELBO, for every example."""
    return 0.5 * np.sum(error**2 * PRECISION + np.exp(error) - 1 - error)


BATCH = {"x": jnp.asarray(X)}


def test_log_likelihood_is_exact_at_the_true_posterior():
    algorithm, view = linear()
    found = algorithm.likelihood(view, BATCH, jax.random.key(1), 10)
    np.testing.assert_allclose(found["value"], LOG_P, atol=2e-5)
    np.testing.assert_allclose(found["effective_samples"], 10, rtol=1e-3)
    np.testing.assert_allclose(found["standard_error"], 0, atol=1e-3)


def test_log_likelihood_converges_and_knows_its_error():
    algorithm, view = linear(error=0.4)
    found = jax.jit(algorithm.likelihood, static_argnums=3)(view, BATCH, jax.random.key(1), 20_000)
    error = np.asarray(found["standard_error"])
    assert np.all(error < 0.02)
    assert np.all(np.abs(found["value"] - LOG_P) < 5 * error)
    assert np.all(found["effective_samples"] < 20_000)


def test_the_elbo_misses_log_p_by_the_kl_to_the_true_posterior():
    algorithm, view = linear(error=0.3, estimate=Estimate(samples=4000))
    values = algorithm.evaluate(view, BATCH, jax.random.key(2))
    np.testing.assert_allclose(values["elbo"], LOG_P - gap(0.3), atol=0.08)
    np.testing.assert_allclose(values["elbo"], values["reconstruction"] - values["kl"], rtol=1e-5)


@pytest.mark.parametrize("bound", [Bound.IWAE, Bound.MIWAE, Bound.CIWAE])
@pytest.mark.parametrize("estimator", list(Estimator))
def test_gradients_vanish_at_the_optimum_without_noise(bound, estimator):
    """At the exact posterior all log-weights agree: DReG's and STL's encoder gradients are zero in every draw."""
    algorithm, _ = linear(estimate=Estimate(bound, estimator, 4, 2 if bound is Bound.MIWAE else 1))
    state = jax.jit(algorithm.init)(jax.random.key(0))
    _, metrics = jax.jit(algorithm.update)(state, {"train": {"x": BATCH["x"][None]}})
    norm = float(metrics["gradient_norm/encoder"])
    np.testing.assert_allclose(metrics["bound"], LOG_P.mean(), atol=2e-5)
    assert norm < 1e-4 if estimator is not Estimator.REPARAMETERISED else norm > 1e-2


def test_training_recovers_probabilistic_pca():
    """From a wrong decoder and encoder to the best of all linear-Gaussian models of 4,000 points: its exact log p."""
    data = stats.multivariate_normal(np.zeros(D), W.T @ W + SIGMA**2 * np.eye(D)).rvs(4000, random_state=0)
    encoder = mlp.Encoder(L, widths=())
    algorithm = vae(vae_body(encoder, mlp.Decoder((D,), widths=()), likelihood=likelihoods.gaussian(SIGMA), shape=(D,),
                             hyper={**HYPER, "lr": 0.02}))  # fmt: skip
    state, batch = jax.jit(algorithm.init)(jax.random.key(3)), jnp.asarray(data, jnp.float32)[None]
    state, _ = jax.jit(
        lambda s: jax.lax.scan(lambda s, _: algorithm.update(s, {"train": {"x": batch}}), s, length=300)
    )(state)
    found = algorithm.likelihood(weights(state), {"x": batch[0, :500]}, jax.random.key(4), 256)["value"]
    exact = stats.multivariate_normal(np.zeros(D), W.T @ W + SIGMA**2 * np.eye(D)).logpdf(data[:500])
    assert float(found.mean()) == pytest.approx(exact.mean(), abs=0.03)


def test_a_fixed_mixture_prior_of_one_is_the_standard_normal():
    plain, view = linear(error=0.3)
    prior = priors.gaussian_mixture(L, 1, spread=0.0)
    mixed, mixed_view = linear(error=0.3, prior=prior)
    assert "prior" in mixed_view.params
    key = jax.random.key(5)
    np.testing.assert_allclose(
        mixed.likelihood(mixed_view, BATCH, key, 8)["value"],
        plain.likelihood(view, BATCH, key, 8)["value"],
        rtol=1e-5,
    )


def test_a_flow_posterior_still_bounds_log_p():
    """IAF's gates start at sigmoid(2), so each layer shrinks: its density must follow, or log p(x) would be missed.
    q is widened before them, for a q narrower than the posterior gives weights without a variance."""
    layers = [made.Made(flows.made_masks(L, (8,)))] * 2
    stack = flow_stacks.inverse_autoregressive_stack(layers, L, 2 * L)
    algorithm, view = linear(widen=1.3, posterior_flow=stack)
    found = algorithm.likelihood(view, BATCH, jax.random.key(6), 20_000)
    assert np.all(np.abs(found["value"] - LOG_P) < 5 * np.asarray(found["standard_error"]))


def test_folding_keeps_examples_together():
    values = jnp.arange(24.0).reshape(3, 4, 2)  # [k, B, d]
    folded = folding.fold(values)
    np.testing.assert_array_equal(folded[:3, 0], values[:, 0, 0])  # the first example's three samples come first
    np.testing.assert_array_equal(folding.unfold(folded, 3), values)
    np.testing.assert_array_equal(folding.repeat(values[0], 3)[:3], jnp.repeat(values[0, :1], 3, axis=0))


def test_steering_the_kl_leaves_the_bound_and_moves_the_gradient():
    def loss(hyper, rate):
        whole = {**HYPER, **hyper}
        own = {name: whole[name] for name in ("lr", "b1", "b2", *rate.reads)}
        algorithm, _ = linear(error=0.3, hyper=own, rate=rate)
        _, metrics = algorithm.update(jax.jit(algorithm.init)(jax.random.key(0)), {"train": {"x": BATCH["x"][None]}})
        return metrics

    plain = loss({}, Rate())
    np.testing.assert_allclose(plain["elbo"], plain["reconstruction"] - plain["kl"], rtol=1e-5)
    for rate in (Rate(free_bits=FreeBits.PER_LAYER), Rate(capacity=lambda step: jnp.float32(3.0)), Rate(geco=True)):
        metrics = loss({"free_bits": 100.0, "gamma": 5.0, "tolerance": 1.0}, rate)
        np.testing.assert_allclose(metrics["elbo"], plain["elbo"], rtol=1e-5)
    held = loss({"free_bits": 100.0}, Rate(free_bits=FreeBits.PER_LAYER))
    assert held["gradient_norm/encoder"] != pytest.approx(float(plain["gradient_norm/encoder"]), rel=1e-3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"encoder": mlp.Encoder(0, widths=())}, "use 1 or more"),
        ({"likelihood": likelihoods.bernoulli(), "shape": (8, 8, 3)}, "discretized_logistic_mixture, or binarise"),
        ({"rate": Rate(geco=True, capacity=linear_warmup(1))}, "choose one"),
        ({"rate": Rate(geco=True, warm_up=linear_warmup(1))}, "leave it out"),
        ({"rate": Rate(geco=True)}, "set --hyper.tolerance"),
        ({"rate": Rate(geco=True), "estimate": Estimate(Bound.IWAE, samples=4)}, "plain elbo"),
        ({"rate": Rate(free_bits=FreeBits.PER_DIMENSION), "prior": priors.gaussian_mixture(L, 2)}, "per_layer"),
        ({"estimate": Estimate(Bound.MIWAE, samples=5, groups=2)}, "divisor"),
    ],
)
def test_mistakes_get_one_line_that_says_what_would_work(options, words):
    with pytest.raises(UserError, match=words) as error:
        linear(**options)
    assert "\n" not in str(error.value)


def test_more_samples_than_memory_are_refused_before_a_step():
    algorithm, _ = linear(estimate=Estimate(samples=10**11))
    state = jax.eval_shape(algorithm.init, jax.random.key(0))
    batch = {"train": {"x": jax.ShapeDtypeStruct((1, 64, D), jnp.float32)}}
    with pytest.raises(UserError, match=r"GiB.*use at most \d+ samples"):
        jax.eval_shape(algorithm.update, state, batch)


def test_a_conditional_model_asks_for_its_label():
    networks = mlp.Encoder(2, widths=(4,), classes=3), mlp.Decoder((8, 8, 1), widths=(4,), classes=3)
    body = vae_body(*networks, likelihood=likelihoods.bernoulli(), binarization=Binarization.DYNAMIC, shape=(8, 8, 1),
                    hyper=HYPER, given=LABEL)  # fmt: skip
    algorithm = vae(body)
    view = weights(jax.jit(algorithm.init)(jax.random.key(0)))
    with pytest.raises(UserError, match="give label"):
        algorithm.samplers["prior"].draw(view, jax.random.key(1), 2)
    one, other = (algorithm.decode(view, jnp.zeros((1, 2)), {"label": jnp.array([label])}) for label in (0, 1))
    assert not np.allclose(one, other)


def test_chunks_divide_the_samples_and_fit():
    assert memory.chunk_size(5000, 1000 * 784) == 5
    assert memory.chunk_size(4999, 784) == 4999  # a prime that fits as a whole
    assert memory.chunk_size(4999, 10 * 784) == 1  # and one that does not
    with pytest.raises(UserError, match="1 or more"):
        memory.chunk_size(0, 10)
