"""Statistics of health against hand numbers, numpy's Fourier transform and scipy's distances."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.distance import cdist, pdist

from gen_jax.objectives import statistics

RNG = np.random.default_rng(0)


def test_logits_by_hand():
    found = statistics.of_logits(jnp.asarray([1.0, 3.0, -2.0, 2.0]), jnp.asarray([-1.0, -3.0, 4.0, 0.0]))
    assert found["accuracy/real"] == 0.75
    assert found["accuracy/fake"] == 0.5  # a logit of 0 is no answer
    assert found["logits/real_sign"] == 0.5
    assert found["logits/real_std"] == pytest.approx(np.std([1, 3, -2, 2]), rel=1e-6)
    assert found["logits/fake_std"] == pytest.approx(np.std([-1, -3, 4, 0]), rel=1e-6)


def test_active_units_and_kl_by_dimension():
    means = jnp.asarray(np.stack([[1.0, -1.0, 1.0, -1.0], [0.05, -0.05, 0.05, -0.05], [0.2, -0.2, 0.2, -0.2]], axis=1))
    kl = jnp.asarray([[3.0, 0.0, 1.0]] * 4)
    found = statistics.of_latents(means, kl)
    assert found["active_units"] == 2  # variances 1, .0025 and .04 against .01
    assert found["active_share"] == pytest.approx(2 / 3)
    assert [float(found[f"kl_dimension/{name}"]) for name in ("max", "median", "min")] == [3.0, 1.0, 0.0]
    assert set(statistics.of_latents(means, None)) == {"active_units", "active_share"}


def test_the_slope_of_a_linear_critic_is_its_norm():
    weights = jnp.asarray([3.0, 4.0])
    assert statistics.slope(lambda x: x @ weights, jnp.zeros((5, 2))) == pytest.approx(5.0)


def test_diversity_against_scipy():
    real, fake = RNG.normal(size=(20, 3, 3, 1)), 0.3 * RNG.normal(size=(20, 3, 3, 1)) + 2
    found = statistics.diversity(jnp.asarray(real, jnp.float32), jnp.asarray(fake, jnp.float32))

    def nearest(images):
        distances = cdist(images.reshape(20, -1), images.reshape(20, -1))
        return np.where(np.eye(20, dtype=bool), np.inf, distances).min(axis=1).mean()

    wanted = pdist(fake.reshape(20, -1)).mean() / pdist(real.reshape(20, -1)).mean()
    assert found["diversity/pairwise"] == pytest.approx(wanted, rel=1e-4)
    assert found["diversity/nearest"] == pytest.approx(nearest(fake) / nearest(real), rel=1e-4)


def test_repeats_are_seen_by_the_nearest_neighbour_alone():
    real = jnp.asarray(RNG.normal(size=(20, 4)), jnp.float32)
    found = statistics.diversity(real, jnp.repeat(real[:10], 2, axis=0))
    assert found["diversity/nearest"] < 1e-3
    assert found["diversity/pairwise"] > 0.7


@pytest.mark.parametrize("size", [(8, 8), (7, 9)])
def test_high_frequency_power_against_the_full_transform(size):
    images = RNG.normal(size=(4, *size, 2))
    power = np.abs(np.fft.fft2(images, axes=(1, 2))) ** 2 / np.prod(size) / 2
    beyond = np.hypot(np.fft.fftfreq(size[0])[:, None], np.fft.fftfreq(size[1])[None]) > 0.25
    wanted = (power.sum(axis=-1) * beyond).sum(axis=(1, 2)).mean()
    assert statistics.high_frequency_power(jnp.asarray(images, jnp.float32)) == pytest.approx(wanted, rel=1e-5)


def test_blur_lowers_the_ratio_and_contrast_is_its_square():
    images = RNG.normal(size=(4, 16, 16, 1)).astype(np.float32)
    blurred = sum(np.roll(images, shift, axis=(1, 2)) for shift in ((0, 0), (0, 1), (1, 0), (1, 1))) / 4
    assert statistics.high_frequency_ratio(jnp.asarray(blurred), jnp.asarray(images)) < 0.35
    assert statistics.high_frequency_ratio(jnp.asarray(images / 2), jnp.asarray(images)) == pytest.approx(0.25)
