"""Optimizers against the update rules of the published code, written out in NumPy with float64."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gen_jax.core.players import adam, during, rmsprop

SLOPES = np.random.default_rng(0).normal(size=(20, 3))  # steps, weights


def walk(optimizer, slopes):
    """Where a weight that starts at 0 stands after each step, [steps, weights]."""
    with jax.enable_x64(True):
        weights = jnp.zeros(slopes.shape[1], jnp.float64)
        state, found = optimizer.init(weights), []
        for slope in jnp.asarray(slopes, jnp.float64):
            updates, state = optimizer.update(slope, state, weights)
            weights = optax.apply_updates(weights, updates)
            found.append(np.asarray(weights))
        return np.stack(found)


@pytest.mark.parametrize("size", [1.0, 1e-2, 1e-3, 1e-5, 1e-7])
def test_rmsprop_is_pytorchs_for_gradients_of_any_size(size):
    """v <- .99 v + .01 g², w <- w - lr g / (sqrt(v) + 1e-8): torch.optim.RMSprop, which WGAN's authors run."""
    slopes, v, w, expected = size * SLOPES, 0.0, 0.0, []
    for g in slopes:
        v = 0.99 * v + 0.01 * g**2
        w = w - 5e-5 * g / (np.sqrt(v) + 1e-8)
        expected.append(w)
    np.testing.assert_allclose(walk(rmsprop("lr")({"lr": 5e-5}), slopes), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("size", [1.0, 1e-5])
@pytest.mark.parametrize(("b1", "b2", "eps"), [(0.5, 0.999, 1e-8), (0.0, 0.9, 1e-8), (0.99, 0.999, 1e-4)])
def test_adam_is_kingma_and_bas(size, b1, b2, eps):
    """Kingma & Ba 2015, algorithm 1, with eps beside the root of the corrected moment, as in PyTorch."""
    slopes, m, v, w, expected = size * SLOPES, 0.0, 0.0, 0.0, []
    for t, g in enumerate(slopes, 1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        w = w - 1e-3 * m / (1 - b1**t) / (np.sqrt(v / (1 - b2**t)) + eps)
        expected.append(w)
    found = walk(adam("lr", eps=eps)({"lr": 1e-3, "b1": b1, "b2": b2}), slopes)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize(("first", "last"), [(0, 5), (7, None), (3, 12)])
def test_an_optimizer_of_some_steps_is_that_optimizer_beginning_there(first, last):
    """Outside them nothing moves, and no moment or count of steps hears of the slopes."""
    hyper = {"lr": 1e-3, "b1": 0.9, "b2": 0.999}
    found = walk(during(adam("lr"), first, last)(hyper), SLOPES)
    alone = walk(adam("lr")(hyper), SLOPES[first:last])
    end = len(SLOPES) if last is None else last
    expected = np.concatenate([np.zeros((first, 3)), alone, np.tile(alone[-1], (len(SLOPES) - end, 1))])
    np.testing.assert_allclose(found, expected, rtol=1e-12)
