"""Values and gradients of every loss against formulas in numpy, its layout, and its name on a command line."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tyro

from gen_jax.core.errors import UserError
from gen_jax.objectives import adversarial
from gen_jax.objectives.adversarial import Loss, smoothed

R = np.array([1.5, -0.5, 0.25, 3.0])
F = np.array([-2.0, 0.75, 0.5, -0.1])
N = len(R)


def sigmoid(t):
    return 1 / (1 + np.exp(-t))


def log_sigmoid(t):
    return np.log(sigmoid(t))


def real_fake(real, fake):
    return np.stack([real, fake])


# For each loss: D's value, dD/d(real, fake), G's value, dG/d(real, fake); derived by hand.
ra_real, ra_fake = R - F.mean(), F - R.mean()
EXPECTED = {
    Loss.minimax: (
        -log_sigmoid(R).mean() - np.log(1 - sigmoid(F)).mean(),
        real_fake((sigmoid(R) - 1) / N, sigmoid(F) / N),
        np.log(1 - sigmoid(F)).mean(),
        real_fake(0 * R, -sigmoid(F) / N),
    ),
    Loss.non_saturating: (
        -log_sigmoid(R).mean() - np.log(1 - sigmoid(F)).mean(),
        real_fake((sigmoid(R) - 1) / N, sigmoid(F) / N),
        -log_sigmoid(F).mean(),
        real_fake(0 * R, (sigmoid(F) - 1) / N),
    ),
    Loss.least_squares: (
        # (.25 + 2.25 + .5625 + 4) / 8 + (4 + .5625 + .25 + .01) / 8
        7.0625 / 8 + 4.8225 / 8,
        real_fake((R - 1) / N, F / N),
        (9 + 0.0625 + 0.25 + 1.21) / 8,
        real_fake(0 * R, (F - 1) / N),
    ),
    Loss.wasserstein: (
        -0.2125 - 1.0625,
        real_fake(-np.ones(N) / N, np.ones(N) / N),
        0.2125,
        real_fake(0 * R, -np.ones(N) / N),
    ),
    Loss.hinge: (
        (0 + 1.5 + 0.75 + 0) / 4 + (0 + 1.75 + 1.5 + 0.9) / 4,
        real_fake(np.array([0, -1, -1, 0]) / N, np.array([0, 1, 1, 1]) / N),
        0.2125,
        real_fake(0 * R, -np.ones(N) / N),
    ),
    Loss.relativistic: (
        -log_sigmoid(R - F).mean(),
        real_fake(-sigmoid(F - R) / N, sigmoid(F - R) / N),
        -log_sigmoid(F - R).mean(),
        real_fake(sigmoid(R - F) / N, -sigmoid(R - F) / N),
    ),
    Loss.relativistic_average: (
        -log_sigmoid(ra_real).mean() - np.log(1 - sigmoid(ra_fake)).mean(),
        real_fake(
            (-sigmoid(-ra_real) - sigmoid(ra_fake).mean()) / N,
            (sigmoid(ra_fake) + sigmoid(-ra_real).mean()) / N,
        ),
        -log_sigmoid(ra_fake).mean() - np.log(1 - sigmoid(ra_real)).mean(),
        real_fake(
            (sigmoid(ra_real) + sigmoid(-ra_fake).mean()) / N,
            (-sigmoid(-ra_fake) - sigmoid(ra_real).mean()) / N,
        ),
    ),
}


@pytest.mark.parametrize("name", list(Loss))
def test_values_and_gradients_of_both_players(name):
    d_value, d_gradient, g_value, g_gradient = EXPECTED[name]
    with jax.enable_x64(True):
        for function, value, gradient in (
            (name.value.discriminator, d_value, d_gradient),
            (name.value.generator, g_value, g_gradient),
        ):
            found, found_gradient = jax.value_and_grad(function, argnums=(0, 1))(jnp.asarray(R), jnp.asarray(F))
            np.testing.assert_allclose(found, value, rtol=1e-12)
            np.testing.assert_allclose(np.stack(found_gradient), gradient, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("name", list(Loss))
def test_confident_logits_stay_finite(name):
    real, fake = jnp.array([500.0, -500.0]), jnp.array([-500.0, 500.0])
    for function in (name.value.discriminator, name.value.generator):
        value, gradient = jax.value_and_grad(function, argnums=(0, 1))(real, fake)
        assert np.isfinite(value)
        assert np.all(np.isfinite(gradient))


@pytest.mark.parametrize("name", list(Loss))
def test_four_shards_are_the_whole_batch(name):
    """Parameters move the logits of all shards; the mean over shards of value and gradient is the whole batch's."""
    noise = np.random.default_rng(0).normal(size=(2, 8, 3)).astype(np.float32)
    w = jnp.array([0.3, -1.0, 0.5])

    def step(w, x, y):
        def loss(w):
            both = name.value.discriminator, name.value.generator
            return sum(function(x @ w, jnp.tanh(y @ w)) for function in both)

        return jax.value_and_grad(loss)(w)

    whole = step(w, *noise)
    shards = jax.vmap(lambda x, y: jax.lax.pmean(step(w, x, y), "data"), axis_name="data")(*noise.reshape(2, 4, 2, 3))
    for one, many in zip(jax.tree.leaves(whole), jax.tree.leaves(shards), strict=True):
        np.testing.assert_allclose(many, np.broadcast_to(one, many.shape), rtol=2e-6, atol=1e-6)


def test_relativistic_losses_pair_rows():
    with pytest.raises(UserError, match="as many fakes"):
        adversarial.relativistic.discriminator(jnp.zeros(4), jnp.zeros((4, 1)))
    with pytest.raises(UserError, match="as many fakes"):
        adversarial.relativistic.generator(jnp.zeros(4), jnp.zeros(2))


@pytest.mark.parametrize("name", [Loss.minimax, Loss.non_saturating])
def test_smoothing_is_cross_entropy_with_the_target(name):
    loss = smoothed(name.value, 0.9)
    p = sigmoid(R)
    expected = -(0.9 * np.log(p) + 0.1 * np.log(1 - p)).mean() - np.log(1 - sigmoid(F)).mean()
    with jax.enable_x64(True):
        np.testing.assert_allclose(loss.discriminator(jnp.asarray(R), jnp.asarray(F)), expected, rtol=1e-12)
        slope = jax.grad(loss.discriminator)(jnp.asarray(R), jnp.asarray(F))
        np.testing.assert_allclose(slope, (p - 0.9) / N, rtol=1e-12)  # zero where D(x) is the target
    assert loss.generator is name.value.generator


def test_smoothing_needs_cross_entropy():
    with pytest.raises(UserError, match="minimax or non_saturating"):
        smoothed(adversarial.hinge)


@dataclasses.dataclass(frozen=True)
class Config:
    loss: Loss = Loss.non_saturating


def test_command_line_picks_by_name(capsys):
    assert tyro.cli(Config, args=[]).loss is Loss.non_saturating
    for name in Loss:
        assert tyro.cli(Config, args=["--loss", name.name]).loss is name
    with pytest.raises(SystemExit):
        tyro.cli(Config, args=["--help"])
    shown = "".join(capsys.readouterr().out.split())
    assert "{minimax,non_saturating,least_squares,wasserstein,hinge," in shown
    assert "default:non_saturating" in shown
    with pytest.raises(SystemExit):
        tyro.cli(Config, args=["--loss", "hinged"])
