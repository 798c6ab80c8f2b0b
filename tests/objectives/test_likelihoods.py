"""Likelihoods normalise (quadrature, sums), agree with scipy, sample what they score, and stay finite at extremes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

from gen_jax.core.errors import UserError
from gen_jax.objectives import discretized, likelihoods
from gen_jax.objectives.binarize import (
    binarize,
    binarize_dynamic,
    binarize_fixed,
    binarize_threshold,
)
from gen_jax.objectives.likelihoods import Binarization

GRID = np.arange(256) / 127.5 - 1.0
CONTINUOUS = [
    (likelihoods.gaussian(0.3), [0.2], -np.inf, np.inf),
    (likelihoods.gaussian_learned(), [-0.4, -1.3], -np.inf, np.inf),
    (likelihoods.continuous_bernoulli(), [3.0], -1, 1),
    (likelihoods.continuous_bernoulli(), [-0.29], -1, 1),
    (likelihoods.continuous_bernoulli(), [0.0], -1, 1),
    (likelihoods.continuous_bernoulli(), [-40.0], -1, 1),
]


def log_p(likelihood, outputs, image):
    """[B], nats."""
    return likelihoods.sum_event(likelihood.log_prob(outputs, image))


@pytest.mark.parametrize(
    "likelihood",
    [likelihoods.bernoulli(), likelihoods.continuous_bernoulli(), likelihoods.gaussian(0.3),
     likelihoods.gaussian_learned(), likelihoods.gaussian_optimal(), discretized.discretized_logistic(),
     discretized.discretized_logistic_mixture(2), discretized.categorical256()],
)  # fmt: skip
def test_log_prob_has_a_value_an_element_and_a_mask_picks_among_them(likelihood):
    channels = 3 if likelihood.levels != 2 else 1
    rng = np.random.default_rng(0)
    image = jnp.asarray(rng.uniform(-1, 1, (2, 4, 5, channels)), jnp.float32)
    outputs = jnp.asarray(rng.normal(size=(2, 4, 5, likelihood.parameters(channels))), jnp.float32)
    values = likelihood.log_prob(outputs, image)
    assert values.shape == (2, 4, 5, 1 if "mixture" in likelihood.name else channels)
    mask = jnp.asarray(rng.integers(0, 2, (2, 4, 5, 1)), jnp.float32)
    both = likelihoods.sum_event(values, mask) + likelihoods.sum_event(values, 1 - mask)
    np.testing.assert_allclose(both, likelihoods.sum_event(values), rtol=1e-5)
    hidden = jnp.where(mask == 0, jnp.nan, values)
    np.testing.assert_array_equal(likelihoods.sum_event(hidden, mask), likelihoods.sum_event(values, mask))


@pytest.mark.parametrize(("likelihood", "outputs", "low", "high"), CONTINUOUS)
def test_densities_integrate_to_one_over_the_image(likelihood, outputs, low, high):
    with jax.enable_x64(True):
        out = jnp.asarray([outputs])
        density = jax.jit(lambda x: jnp.exp(log_p(likelihood, out, x[None, None])[0]))
        low, high = max(low, -6.0), min(high, 6.0)
        total, _ = integrate.quad(lambda x: float(density(x)), low, high, points=[-1.0, -0.4, 0.2], limit=200)
    assert total == pytest.approx(1.0, abs=1e-7)


def level_probabilities(likelihood, outputs):
    """P of each of 256 levels of one grey pixel: outputs [P] -> [256]."""
    log_prob = log_p(likelihood, jnp.tile(jnp.asarray(outputs), (256, 1)), jnp.asarray(GRID)[:, None])
    return np.exp(np.asarray(log_prob, np.float64))


DISCRETE = [
    (discretized.discretized_logistic(), [0.3, -2.0]),
    (discretized.discretized_logistic(), [-1.4, -0.5]),
    (discretized.discretized_logistic(), [0.9971, -9.0]),
    (discretized.discretized_logistic(), [0.0, 30.0]),
    (discretized.discretized_logistic_mixture(3), [0.1, -1.0, 2.0, -0.9, 0.0, 1.2, -3.0, -1.0, -6.0]),
    (discretized.categorical256(), list(np.random.default_rng(0).normal(size=256))),
]


@pytest.mark.parametrize(("likelihood", "outputs"), DISCRETE)
def test_discrete_likelihoods_sum_to_one(likelihood, outputs):
    with jax.enable_x64(True):
        assert level_probabilities(likelihood, np.asarray(outputs)).sum() == pytest.approx(1.0, abs=1e-9)
    assert level_probabilities(likelihood, np.asarray(outputs, np.float32)).sum() == pytest.approx(1.0, abs=2e-4)


def test_bernoulli_sums_to_one_over_its_two_values():
    log_prob = log_p(likelihoods.bernoulli(), jnp.full((2, 1), 1.7), jnp.asarray([[-1.0], [1.0]]))
    assert float(jnp.exp(log_prob).sum()) == pytest.approx(1.0, abs=1e-6)


def test_discretized_logistic_is_scipys_cdf_difference():
    location, log_scale = 0.13, -1.7
    edges = stats.logistic.cdf((np.arange(1, 256) - 0.5) / 127.5 - 1.0, location, np.exp(log_scale))
    expected = np.diff(np.concatenate([[0.0], edges, [1.0]]))
    with jax.enable_x64(True):
        actual = level_probabilities(discretized.discretized_logistic(), np.asarray([location, log_scale]))
    np.testing.assert_allclose(actual, expected, rtol=1e-9)


def test_colour_mixture_sums_to_one_over_the_coupled_channels():
    # The joint over 256³ is summed one channel at a time: with R fixed, and R and G fixed, conditionals must sum to 1.
    likelihood = discretized.discretized_logistic_mixture(1)
    with jax.enable_x64(True):
        outputs = jnp.asarray([0.0, 0.2, -0.1, 0.4, -1.0, -1.5, -2.0, 0.9, -0.7, 0.5])
        images = np.zeros((3, 256, 3)) + GRID[[200, 20, 90]]
        for channel in range(3):
            images[channel, :, channel] = GRID
        score = jax.vmap(lambda im: log_p(likelihood, jnp.tile(outputs, (256, 1)), im))(jnp.asarray(images))
        blue = np.exp(np.asarray(score[2]))  # P(R, G) P(B | R, G) over B = P(R, G)
        r, g = GRID[200], GRID[20]
        red_and_green = 1.0
        for value, location, log_scale in ((r, 0.2, -1.0), (g, -0.1 + np.tanh(0.9) * r, -1.5)):
            cdf = stats.logistic(location, np.exp(log_scale)).cdf
            red_and_green *= cdf(value + 1 / 255) - cdf(value - 1 / 255)
        assert blue.sum() == pytest.approx(red_and_green, rel=1e-9)
        # blue's location shifts by tanh(c_rb) R + tanh(c_gb) G (eq. 3), checked through its most likely level
        expected = 0.4 + np.tanh(-0.7) * r + np.tanh(0.5) * g
        assert abs(GRID[blue.argmax()] - expected) <= 1 / 255 + 1e-9


def test_mixture_counts_its_parameters():
    assert discretized.discretized_logistic_mixture(10).parameters(3) == 100  # PixelCNN++'s 10 K
    assert discretized.discretized_logistic_mixture(10).parameters(1) == 30
    assert [likelihood.parameters(3) for likelihood in (likelihoods.bernoulli(), discretized.categorical256())] == [
        3,
        768,
    ]


SAMPLED = [
    (likelihoods.bernoulli(), [0.8], 1e-6),
    (likelihoods.continuous_bernoulli(), [2.5], 1e-6),
    (likelihoods.continuous_bernoulli(), [-0.05], 1e-6),
    (likelihoods.gaussian(0.3), [0.2], 1e-6),
    (likelihoods.gaussian_learned(), [0.2, -1.0], 1e-6),
    (discretized.discretized_logistic(), [0.8, -1.0], 2e-3),
    (discretized.discretized_logistic_mixture(2), [0.3, -0.4, -0.8, 0.6, -2.0, -1.0], 2e-3),
    (discretized.categorical256(), list(np.linspace(-2, 2, 256)), 1e-6),
    # colour: means well inside, where the coupling's plug-in mean is exact
    (discretized.discretized_logistic_mixture(1), [0.0, 0.2, -0.1, 0.1, -4, -4, -4, 0.9, -0.7, 0.5], 2e-3),
]


@pytest.mark.parametrize(("likelihood", "outputs", "slack"), SAMPLED)
def test_samples_have_the_stated_mean(likelihood, outputs, slack):
    count = 40_000
    tiled = jnp.tile(jnp.asarray(outputs, jnp.float32), (count, 1))
    samples = np.asarray(likelihood.sample(tiled, jax.random.key(1)), np.float64)
    mean = np.asarray(likelihood.mean(tiled[:1])[0], np.float64)
    standard_error = samples.std(axis=0) / np.sqrt(count)
    assert samples.shape == (count, len(mean))
    assert np.all(np.abs(samples.mean(axis=0) - mean) < 4 * standard_error + slack)


def test_discrete_samples_lie_on_the_levels():
    outputs = jnp.tile(jnp.asarray([0.8, -1.0]), (500, 1))
    samples = np.asarray(discretized.discretized_logistic().sample(outputs, jax.random.key(0)))
    np.testing.assert_allclose(samples, GRID[np.rint((samples + 1) * 127.5).astype(int)], atol=1e-6)


def test_samples_follow_the_continuous_bernoulli_density():
    logit = -3.0
    samples = likelihoods.continuous_bernoulli().sample(jnp.full((20_000, 1), logit), jax.random.key(2))
    units = (np.asarray(samples[:, 0]) + 1) / 2
    assert stats.kstest(units, lambda u: np.expm1(logit * u) / np.expm1(logit)).pvalue > 1e-3


EVERY = [
    likelihoods.bernoulli(),
    likelihoods.continuous_bernoulli(),
    likelihoods.gaussian(0.1),
    likelihoods.gaussian_learned(),
    likelihoods.gaussian_optimal(),
    discretized.discretized_logistic(),
    discretized.discretized_logistic_mixture(2),
    discretized.categorical256(),
]


@pytest.mark.parametrize("likelihood", EVERY, ids=lambda likelihood: likelihood.name)
def test_values_and_gradients_are_finite_at_extremes(likelihood):
    image = jnp.asarray([[-1.0], [0.0], [1.0]])

    @jax.jit
    def everything(size):
        outputs = jnp.full((3, likelihood.parameters(1)), size)
        score = jax.value_and_grad(lambda o: likelihood.log_prob(o, image).sum())(outputs)
        return score, jax.value_and_grad(lambda o: likelihood.mean(o).sum())(outputs)

    for size in (0.0, 1e-4, 0.3, 100.0, -100.0, 1e4, -1e4):
        assert all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves(everything(size))), size


def test_continuous_bernoulli_is_smooth_through_one_half():
    with jax.enable_x64(True):
        logits = jnp.asarray([-0.31, -0.2999, -1e-6, 0.0, 1e-6, 0.2999, 0.31])
        score = likelihoods.continuous_bernoulli()
        actual = log_p(score, logits[:, None], jnp.zeros((7, 1)))  # image 0 is u = 1/2
        half = np.where(np.abs(logits) < 1e-5, 1.0, np.asarray(logits) / 2)
        normaliser = np.where(np.abs(logits) < 1e-5, 0.0, np.log(np.sinh(half) / half))
        np.testing.assert_allclose(actual, -normaliser - np.log(2), atol=1e-12)
        gradient = jax.vmap(jax.grad(lambda o: log_p(score, o[None, None], jnp.zeros((1, 1)))[0]))(logits)
        np.testing.assert_allclose(gradient, -np.asarray(score.mean(logits)) / 2, atol=1e-9)  # u - E u at u = 1/2


def test_gaussian_is_scipys():
    image = np.random.default_rng(0).normal(size=(4, 2, 2, 3))
    expected = stats.norm(0.1, 0.25).logpdf(image).sum((1, 2, 3))
    actual = log_p(likelihoods.gaussian(0.25), jnp.full(image.shape, 0.1), jnp.asarray(image, jnp.float32))
    np.testing.assert_allclose(actual, expected, rtol=1e-5)


def test_optimal_sigma_gives_the_closed_form_and_its_gradient():
    rng = np.random.default_rng(0)
    image, outputs = (jnp.asarray(rng.normal(size=(6, 5)), jnp.float32) for _ in range(2))
    likelihood = likelihoods.gaussian_optimal()

    def closed(o):
        return -5 / 2 * (jnp.log(2 * jnp.pi * jnp.mean((image - o) ** 2)) + 1)

    actual = jax.value_and_grad(lambda o: log_p(likelihood, o, image).mean())(outputs)
    for mine, expected in zip(actual, jax.value_and_grad(closed)(outputs), strict=True):
        np.testing.assert_allclose(mine, expected, rtol=2e-5, atol=1e-7)
    near = [log_p(likelihoods.gaussian(s), outputs, image).mean() for s in (1.3, 1.5)]
    assert log_p(likelihood, outputs, image).mean() > max(near)


def test_bits_per_dim_of_uniform_noise_is_eight_either_way():
    discrete = log_p(discretized.categorical256(), jnp.zeros((1, 256 * 7)), jnp.zeros((1, 7)))
    assert float(likelihoods.bits_per_dim(discrete, 7, 256)[0]) == pytest.approx(8.0, abs=1e-5)
    # A uniform density over 256 level widths of 1/127.5 each.
    density = jnp.asarray([-7 * np.log(256 / 127.5)])
    assert float(likelihoods.bits_per_dim(density, 7, None)[0]) == pytest.approx(8.0, abs=1e-5)


def test_binarisations():
    image = jnp.tile(jnp.asarray([-1.0, -0.5, 0.2, 1.0]), (20_000, 1))
    drawn = binarize_dynamic(image, jax.random.key(0))
    assert set(np.unique(drawn)) == {-1.0, 1.0}
    np.testing.assert_allclose(drawn.mean(axis=0), [-1.0, -0.5, 0.2, 1.0], atol=0.03)
    assert not np.array_equal(drawn, binarize_dynamic(image, jax.random.key(1)))
    np.testing.assert_array_equal(binarize_threshold(image[:1])[0], [-1, -1, 1, 1])
    np.testing.assert_array_equal(binarize(image, jax.random.key(0), Binarization.NONE), image)


def test_fixed_binarisation_depends_on_the_image_and_seed_alone():
    rng = np.random.default_rng(0)
    image = jnp.asarray(rng.integers(0, 256, (3000, 4, 4, 1)) / 127.5 - 1, jnp.float32)
    once = binarize_fixed(image)
    order = rng.permutation(3000)
    np.testing.assert_array_equal(binarize_fixed(image[order])[:7], once[order][:7])
    assert not np.array_equal(binarize_fixed(image, seed=1), once)
    assert float(jnp.mean(once - image)) == pytest.approx(0.0, abs=0.02)
    # and is a fair draw for each image: residuals of different pixels don't correlate
    residual = np.asarray(once - image).reshape(3000, -1)
    assert np.abs(np.corrcoef(residual.T) - np.eye(16)).max() < 0.09


@pytest.mark.parametrize(
    ("likelihood", "shape", "how"),
    [
        (likelihoods.bernoulli(), (32, 32, 3), Binarization.NONE),
        (likelihoods.bernoulli(), (2,), Binarization.NONE),
        (discretized.categorical256(), (2,), Binarization.NONE),
        (discretized.discretized_logistic(), (28, 28, 1), Binarization.DYNAMIC),
    ],
)
def test_meaningless_combinations_are_refused(likelihood, shape, how):
    with pytest.raises(UserError, match="use"):
        likelihoods.check(likelihood, shape, how)


def test_sound_combinations_pass():
    likelihoods.check(likelihoods.bernoulli(), (28, 28, 1), Binarization.NONE)
    likelihoods.check(likelihoods.bernoulli(), (32, 32, 3), Binarization.DYNAMIC)
    likelihoods.check(likelihoods.gaussian(1.0), (2,), Binarization.NONE)
