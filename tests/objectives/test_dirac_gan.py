"""The Dirac-GAN (Mescheder, Geiger & Nowozin 2018): our losses have the local dynamics that the paper derives.

Real data is the point 0, the generator makes the point theta, and the discriminator is D(x) = psi x. At the
equilibrium (0, 0), softplus losses have f'(0) = 1/2: the vector field v = -(dL_G/dtheta, dL_D/dpsi) has the Jacobian
[[0, f'], [-f', 0]] and, with gamma / 2 R1 (or R2), [[0, f'], [-f', -gamma]], whose eigenvalues are
-gamma / 2 +- sqrt(gamma^2 / 4 - f'^2).
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gen_jax.objectives import penalties
from gen_jax.objectives.adversarial import Loss

ORIGIN = np.zeros(2)


def losses(loss, gamma1=0.0, gamma2=0.0):
    def generator(theta, psi):
        return loss.value.generator(jnp.zeros(1) * psi, theta * psi * jnp.ones(1))

    def discriminator(theta, psi):
        critic = lambda x: psi * x[:, 0]  # noqa: E731
        real, fake = jnp.zeros((1, 1)), theta * jnp.ones((1, 1))
        penalty = gamma1 / 2 * penalties.r1(critic, real) + gamma2 / 2 * penalties.r2(critic, fake)
        return loss.value.discriminator(critic(real), critic(fake)) + penalty

    return generator, discriminator


def field_eigenvalues(loss, **gammas):
    generator, discriminator = losses(loss, **gammas)

    def field(state):
        theta, psi = state
        return -jnp.stack([jax.grad(generator, 0)(theta, psi), jax.grad(discriminator, 1)(theta, psi)])

    with jax.enable_x64(True):
        np.testing.assert_array_equal(field(ORIGIN), [0, 0])  # it is an equilibrium
        return np.sort_complex(np.linalg.eigvals(np.asarray(jax.jacfwd(field)(ORIGIN))))


def update_eigenvalues(loss, rate, alternating):
    generator, discriminator = losses(loss)

    def update(state):
        theta, psi = state
        new_psi = psi - rate * jax.grad(discriminator, 1)(theta, psi)
        seen = new_psi if alternating else psi
        return jnp.stack([theta - rate * jax.grad(generator, 0)(theta, seen), new_psi])

    with jax.enable_x64(True):
        return np.linalg.eigvals(np.asarray(jax.jacfwd(update)(ORIGIN)))


# The slope at 0 of each game: of softplus 1/2, of the linear losses 1; the averaged relativistic loss has two terms.
SLOPES = {
    Loss.minimax: 0.5,
    Loss.non_saturating: 0.5,
    Loss.relativistic: 0.5,
    Loss.wasserstein: 1.0,
    Loss.hinge: 1.0,
    Loss.relativistic_average: 1.0,
}


@pytest.mark.parametrize(("loss", "slope"), SLOPES.items())
def test_unregularised_eigenvalues_are_imaginary(loss, slope):
    np.testing.assert_allclose(field_eigenvalues(loss), [-1j * slope, 1j * slope], atol=1e-14)


@pytest.mark.parametrize("gamma", [0.1, 0.6, 1.0, 3.0])
@pytest.mark.parametrize("which", ["gamma1", "gamma2"])
@pytest.mark.parametrize("loss", [Loss.minimax, Loss.non_saturating, Loss.relativistic, Loss.wasserstein])
def test_r1_and_r2_pull_eigenvalues_left(loss, which, gamma):
    slope = SLOPES[loss]
    root = np.sqrt(complex(gamma**2 / 4 - slope**2))
    expected = np.sort_complex(np.array([-gamma / 2 - root, -gamma / 2 + root]))
    found = field_eigenvalues(loss, **{which: gamma})
    np.testing.assert_allclose(found, expected, atol=1e-7)  # a double root at gamma = 2 f' splits by sqrt(eps)
    assert found.real.max() < 0


@pytest.mark.parametrize(("loss", "slope"), SLOPES.items())
def test_gradient_steps_do_not_converge(loss, slope):
    """Simultaneous steps spiral out with modulus sqrt(1 + (h f')^2); alternating ones stay on circles, modulus 1."""
    simultaneous = update_eigenvalues(loss, 0.3, alternating=False)
    np.testing.assert_allclose(np.abs(simultaneous), np.sqrt(1 + (0.3 * slope) ** 2), rtol=1e-12)
    alternating = update_eigenvalues(loss, 0.3, alternating=True)
    np.testing.assert_allclose(np.abs(alternating), 1.0, rtol=1e-12)
    np.testing.assert_allclose(alternating.real, 1 - (0.3 * slope) ** 2 / 2, rtol=1e-12)
