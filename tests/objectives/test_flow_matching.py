"""Flow matching between two Gaussians, where path, loss and flow are known; torchcfm's values; the solvers' orders."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from gen_jax.core.errors import UserError
from gen_jax.objectives import flow_matching as flow

MEAN, STD = 1.5, 0.4  # of the data; noise is standard normal
KEY = jax.random.key(0)


def exact(x, time):
    """E[data - noise | x_t = x]: x_t and the velocity are jointly normal."""
    t = time.reshape(-1, *[1] * (x.ndim - 1))
    variance = (1 - t) ** 2 + (t * STD) ** 2
    return MEAN + (t * STD**2 - (1 - t)) / variance * (x - t * MEAN)


def test_no_field_does_better_than_the_conditional_mean_whose_loss_is_known():
    count = 200_000
    noise, data = jax.random.normal(KEY, (2, count, 1))
    data = MEAN + STD * data
    time = flow.uniform_times(KEY, count)
    x, wanted = flow.on_path(noise, data, time)
    losses = flow.loss(exact(x, time), wanted)
    t = np.linspace(0, 1, 100_001)
    left = 1 + STD**2 - (t * STD**2 - (1 - t)) ** 2 / ((1 - t) ** 2 + (t * STD) ** 2)
    np.testing.assert_allclose(losses.mean(), left.mean(), rtol=0.01)
    assert flow.loss(exact(x, time) + 0.1, wanted).mean() > losses.mean()


def test_values_of_an_independent_package():
    golden = json.loads((Path(__file__).parents[1] / "golden" / "flow_matching.json").read_text())
    noise, data, time, field = (jnp.asarray(golden[name], jnp.float32) for name in ("noise", "data", "time", "field"))
    x, wanted = flow.on_path(noise, data, time)
    np.testing.assert_allclose(x, golden["x"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(wanted, golden["velocity"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(flow.loss(field, wanted).mean(), golden["loss"], rtol=1e-6)


@pytest.mark.parametrize(("solver", "order"), [(flow.euler, 1), (flow.heun, 2)])
def test_solvers_end_where_the_flow_does_and_converge_by_their_order(solver, order):
    x = jnp.linspace(-2, 2, 5)[:, None]
    errors = [float(jnp.abs(solver(exact, x, count) - (MEAN + STD * x)).max()) for count in (40, 80)]
    assert errors[1] < 0.02
    assert errors[0] / errors[1] == pytest.approx(2**order, rel=0.15)


def test_the_field_is_followed_as_scipy_follows_it():
    field = lambda x, t: jnp.sin(3 * x) + t[:, None]  # noqa: E731
    x = jnp.array([[-1.0, 0.3]])
    found = solve_ivp(lambda t, x: np.sin(3 * x) + t, (0, 1), x[0], rtol=1e-9, atol=1e-9).y[:, -1]
    np.testing.assert_allclose(flow.heun(field, x, 400)[0], found, atol=1e-4)


def test_evaluations_are_counted():
    calls = []

    def field(x, time):
        jax.debug.callback(lambda t: calls.append(float(t)), time[0])
        return jnp.zeros_like(x)

    for solver in (flow.euler, flow.heun):
        calls.clear()
        solver(field, jnp.zeros((1, 1)), 6)
        jax.effects_barrier()
        assert len(calls) == 6
        assert min(calls) == 0.0


@pytest.mark.parametrize(
    ("solver", "count"),
    [(flow.euler, 0), (flow.euler, 2.5), (flow.euler, float("nan")), (flow.heun, 7), (flow.heun, -2),
     (flow.heun, float("inf"))],
)  # fmt: skip
def test_impossible_numbers_of_evaluations(solver, count):
    with pytest.raises(UserError, match="evaluations: give a") as caught:
        solver(exact, jnp.zeros((1, 1)), count)
    assert "\n" not in str(caught.value)


def test_laws_of_time():
    uniform, middle = (np.asarray(law(KEY, 20_000)) for law in (flow.uniform_times, flow.logit_normal_times))
    assert uniform.std() == pytest.approx(12**-0.5, rel=0.02)
    logits = np.log(middle / (1 - middle))
    assert (logits.mean(), logits.std()) == pytest.approx((0, 1), abs=0.03)
