"""Student's t against SciPy."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy import special, stats

from gen_jax.objectives import student

random = np.random.default_rng(0)
OUTPUTS = jnp.asarray(random.normal(size=(7, 15)), jnp.float32)
X = jnp.asarray(random.normal(size=(7, 5)) * 3, jnp.float32)


def parts():
    mean, scale, degrees = np.split(np.asarray(OUTPUTS, np.float64), 3, axis=-1)
    return mean, 1e-3 + np.logaddexp(0, scale), 3 + np.logaddexp(0, degrees)


def test_density_mean_and_draws():
    likelihood, (mean, scale, degrees) = student.student_t(), parts()
    wanted = stats.t.logpdf(np.asarray(X, np.float64), degrees, mean, scale)
    np.testing.assert_allclose(likelihood.log_prob(OUTPUTS, X), wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(likelihood.mean(OUTPUTS), OUTPUTS[:, :5])
    many = np.asarray(likelihood.sample(jnp.repeat(OUTPUTS[:1], 4000, axis=0), jax.random.key(0)))
    for column in range(5):
        law = stats.t(degrees[0, column], mean[0, column], scale[0, column])
        assert stats.kstest(many[:, column], law.cdf).pvalue > 1e-3


def test_the_step_of_log_gamma_and_its_slope():
    a = np.concatenate([np.linspace(0.5, 6, 60), [20, 1e3, 1e5]])
    found, slope = jax.vmap(jax.value_and_grad(student.log_gamma_step))(jnp.asarray(a, jnp.float32))
    np.testing.assert_allclose(found, special.gammaln(a + 0.5) - special.gammaln(a), atol=2e-6)
    np.testing.assert_allclose(slope, special.digamma(a + 0.5) - special.digamma(a), rtol=1e-4, atol=2e-6)
