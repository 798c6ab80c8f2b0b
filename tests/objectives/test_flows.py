"""Flows invert, and their log-determinants are slogdet of the autodiff Jacobian; masks are autoregressive."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from scipy import integrate

from gen_jax.models import flow_stacks
from gen_jax.objectives import flows, priors

D = 5
RNG = np.random.default_rng(0)


def dense(sizes, masks=None, seed=0):
    """A tanh MLP with (masked) weights, final layer last: x -> (shift, log_scale)."""
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=(a, b)) / np.sqrt(a) for a, b in pairwise(sizes)]
    if masks is not None:
        weights = [w * m for w, m in zip(weights, masks, strict=True)]
    weights = [jnp.asarray(w, jnp.float32) for w in weights]

    def conditioner(x):
        for w in weights[:-1]:
            x = jnp.tanh(x @ w + 0.1)
        return jnp.split(x @ weights[-1], 2, axis=-1)

    return conditioner


def made(seed=0):
    return dense((D, 16, 16, 2 * D), flows.made_masks(D, (16, 16)), seed)


FLOWS = {
    "coupling": flows.coupling(dense((D, 16, 2 * D)), flows.alternating_masks(D, 1)[0]),
    "maf": flows.masked_autoregressive(made()),
    "iaf": flows.invert(flows.masked_autoregressive(made())),
    "gated_iaf": flows.gated_autoregressive(made()),
    "permutation": flows.permutation([2, 0, 4, 1, 3]),
    "realnvp": flows.chain(
        [flows.coupling(dense((D, 16, 2 * D), seed=i), m) for i, m in enumerate(flows.alternating_masks(D, 4))]
    ),
    "maf_stack": flows.chain(
        [flows.masked_autoregressive(made(1)), flows.reverse(D), flows.masked_autoregressive(made(2))]
    ),
}


@pytest.mark.parametrize("name", FLOWS)
def test_flows_invert_and_know_their_jacobians(name):
    flow = FLOWS[name]
    x = jnp.asarray(RNG.normal(size=(4, D)), jnp.float32)
    y, log_det = jax.jit(flow.forward)(x)
    back, inverse_log_det = jax.jit(flow.inverse)(y)
    np.testing.assert_allclose(back, x, atol=1e-5)
    np.testing.assert_allclose(inverse_log_det, -log_det, atol=1e-5)
    jacobian = jax.jit(jax.vmap(jax.jacobian(lambda row: flow.forward(row[None])[0][0])))(x)
    np.testing.assert_allclose(log_det, np.linalg.slogdet(np.asarray(jacobian, np.float64))[1], atol=2e-5)
    inverse_jacobian = jax.jit(jax.vmap(jax.jacobian(lambda row: flow.inverse(row[None])[0][0])))(y)
    np.testing.assert_allclose(
        inverse_log_det, np.linalg.slogdet(np.asarray(inverse_jacobian, np.float64))[1], atol=2e-5
    )
    if name != "permutation":
        assert float(jnp.abs(log_det).max()) > 0.05  # the flow does something


@pytest.mark.parametrize("hidden", [(), (7,), (16, 9)])
def test_made_masks_let_output_i_see_inputs_before_i_only(hidden):
    reach = np.linalg.multi_dot(flows.made_masks(D, hidden)) if hidden else flows.made_masks(D, hidden)[0]
    for block in np.split(reach > 0, 2, axis=1):
        np.testing.assert_array_equal(block, np.triu(np.ones((D, D)), 1) > 0)


def test_made_masks_in_one_dimension_see_nothing():
    assert not np.linalg.multi_dot(flows.made_masks(1, (4,))).any()


@pytest.mark.parametrize("raw", [-60.0, -6.0, -1.0, 0.0, 3.0, 60.0])
def test_a_layer_of_an_iaf_posterior_is_equation_14_at_any_gate(raw):
    """z' = σ z + (1 - σ) m, log-determinant Σ log σ, in NumPy; gates from shut to open, which no limit may bend."""

    class Gate(nn.Module):  # m and s that a masked network might say
        @nn.compact
        def __call__(self, z, *, train):
            return jnp.zeros_like(z) + jnp.arange(1.0, D + 1), jnp.full_like(z, raw)

    stack = flow_stacks.inverse_autoregressive_stack([Gate()], D)
    z = RNG.normal(size=(4, D)).astype(np.float32)
    new, log_det = stack.build(stack.init(jax.random.key(0))).forward(jnp.asarray(z))
    gate, mean = 1 / (1 + np.exp(-(raw + 2.0))), np.arange(1.0, D + 1)
    np.testing.assert_allclose(new, gate * z + (1 - gate) * mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(log_det, np.full(4, -D * np.log1p(np.exp(-(raw + 2.0)))), rtol=1e-5)


def test_density_of_a_one_dimensional_flow_integrates_to_one():
    flow = flows.coupling(lambda x: (x * 0 + 0.7, x * 0 + 0.4), np.zeros(1))
    prior = priors.flow_prior(lambda params: flow, 1, lambda key: {})
    density = jax.jit(lambda y: jnp.exp(prior.log_prob({}, y[None, None])[0]))
    assert integrate.quad(lambda y: float(density(jnp.float32(y))), -15, 15)[0] == pytest.approx(1.0, abs=1e-4)
