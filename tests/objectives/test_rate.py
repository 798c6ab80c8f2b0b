"""Rate control against hand numbers, and the committed rate against a numerical minimum."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gen_jax.objectives import rate
from gen_jax.objectives.rate import FreeBits


def test_schedules_at_hand_picked_steps():
    steps = jnp.asarray([0, 5, 10, 25])
    np.testing.assert_allclose(rate.linear_warmup(10)(steps), [0, 0.5, 1, 1])
    np.testing.assert_allclose(rate.linear_warmup(0)(steps), 1.0)
    np.testing.assert_allclose(rate.linear_warmup(10, 0.0, 25.0)(steps), [0, 12.5, 25, 25])
    np.testing.assert_allclose(rate.cyclical(20, 0.5)(jnp.asarray([0, 5, 10, 19, 20, 25])), [0, 0.5, 1, 1, 0, 0.5])
    assert float(jax.jit(lambda n: rate.linear_warmup(n)(jnp.int32(5)))(10)) == 0.5


def test_capacity_penalty_pulls_from_both_sides():
    np.testing.assert_allclose(rate.capacity_penalty(jnp.asarray([3.0, 7.0]), 5.0, 10.0), [20.0, 20.0])
    np.testing.assert_allclose(jax.grad(lambda k: rate.capacity_penalty(k, 5.0, 10.0))(3.0), -10.0)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (FreeBits.NONE, [1.1, 3.3]),  # rows' sums
        (FreeBits.PER_DIMENSION, [2.5, 2.5]),  # max(.2, .5) + max(2, .5)
        (FreeBits.PER_LAYER, [2.2, 2.2]),  # max(.2 + 2, .5)
        (FreeBits.PER_SAMPLE, [1.1, 3.3]),
    ],
)
def test_free_bits_by_hand(how, expected):
    np.testing.assert_allclose(rate.free_bits(jnp.asarray([[0.1, 1.0], [0.3, 3.0]]), 0.5, how), expected, rtol=1e-6)


def test_free_bits_give_no_gradient_below_the_allowance():
    kl = jnp.asarray([[0.1, 1.0], [0.3, 3.0]])

    def gradient(allowance, how):
        return jax.grad(lambda k: rate.free_bits(k, allowance, how).mean())(kl)

    np.testing.assert_allclose(gradient(0.5, FreeBits.PER_DIMENSION), [[0, 0.5], [0, 0.5]])
    np.testing.assert_allclose(gradient(2.3, FreeBits.PER_LAYER), 0)
    np.testing.assert_allclose(gradient(2.0, FreeBits.PER_SAMPLE), [[0, 0], [0.5, 0.5]])


def test_geco_raises_and_lowers_its_multiplier_and_settles_on_the_tolerance():
    state = rate.geco_init(1.0)
    weighted, after = rate.geco(jnp.asarray([3.0, 5.0]), 2.0, state, rate=0.1)
    np.testing.assert_allclose(weighted, [1.0, 3.0])
    assert float(after.log_multiplier) == pytest.approx(0.2)
    # Minimise KL = -log x subject to error = x <= 0.5 by gradient descent: the constrained optimum is 0.5, λ = 2.
    x, state = jnp.float32(2.0), rate.geco_init(0.1)

    def loss(x, state):
        weighted, new = rate.geco(x[None], 0.5, state, rate=0.05, decay=0.9)
        return -jnp.log(x) + weighted[0], new

    @jax.jit
    def step(_, carry):
        x, state = carry
        slope, new = jax.grad(loss, has_aux=True)(x, state)
        return jnp.maximum(x - 0.02 * slope, 0.01), new

    x, state = jax.lax.fori_loop(0, 3000, step, (x, state))
    assert float(x) == pytest.approx(0.5, abs=0.01)
    assert float(jnp.exp(state.log_multiplier)) == pytest.approx(2.0, abs=0.05)
