"""The k best fakes of the global batch, with k traced."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gen_jax.core.errors import UserError
from gen_jax.objectives import adversarial, top_k

FAKE = jnp.array([0.5, -1.0, 2.0, 0.0, 3.0, -2.0, 1.0, 0.25])


@pytest.mark.parametrize(("k", "best"), [(1, [4]), (3, [4, 2, 6]), (8, list(range(8)))])
def test_generator_averages_over_the_best(k, best):
    @jax.jit
    def step(k):
        return jax.value_and_grad(top_k.top_k(adversarial.non_saturating, k).generator, 1)(jnp.zeros(8), FAKE)

    value, gradient = step(k)
    chosen = np.asarray(FAKE)[best]
    np.testing.assert_allclose(value, np.log1p(np.exp(-chosen)).mean(), rtol=1e-6)
    expected = np.zeros(8)
    expected[best] = -1 / (1 + np.exp(chosen)) / k
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-9)


def test_k_is_exact_among_ties_and_clipped():
    ties = jnp.array([1.0, 1.0, 0.0, 1.0])
    np.testing.assert_array_equal(top_k.top_k_weights(ties, 2), [2, 2, 0, 0])
    np.testing.assert_array_equal(top_k.top_k_weights(ties, 0), [4, 0, 0, 0])
    np.testing.assert_array_equal(top_k.top_k_weights(ties, 99), [1, 1, 1, 1])


def test_the_best_of_all_shards():
    def step(fake):
        value, gradient = jax.value_and_grad(lambda f: top_k.top_k_mean(f**2, f, 3))(fake)
        return jax.lax.pmean(value, "data"), gradient / 4

    value, gradient = jax.vmap(step, axis_name="data")(FAKE.reshape(4, 2))
    np.testing.assert_allclose(value, (9 + 4 + 1) / 3, rtol=1e-6)
    np.testing.assert_allclose(gradient.ravel(), [0, 0, 4 / 3, 0, 2, 0, 2 / 3, 0], rtol=1e-6)


def test_interacting_rows_are_refused():
    with pytest.raises(UserError, match="relativistic_average"):
        top_k.top_k(adversarial.relativistic_average, 2)


def test_annealing():
    steps = jnp.array([0, 99, 100, 250, 10_000])
    np.testing.assert_array_equal(top_k.annealed_k(steps, 64, 100, decay=0.9), [64, 64, 57, 51, 32])
