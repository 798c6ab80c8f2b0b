"""Codes drawn in raster order have the network's own distribution, whether or not it remembers."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from gen_jax.core.types import Weights
from gen_jax.models import raster
from gen_jax.models.vq_vae import vq_vae
from gen_jax.nets import vq
from gen_jax.objectives import likelihoods


def test_a_chain_is_drawn_with_its_transition_probabilities():
    """Codes that follow their predecessor in raster order by a known matrix: frequencies of pairs against it."""
    matrix = jnp.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8], [0.3, 0.4, 0.3]])

    def logits_at(numbers, memory, at):
        last = memory.get("last", jnp.zeros(len(numbers), jnp.int32))
        row, column = at
        before = jnp.where(column > 0, numbers[:, row, column - 1], numbers[:, row - 1, -1])
        now = jnp.where(row + column > 0, before, last)
        return jnp.log(matrix)[now], {"last": now}

    codes = raster.draw(logits_at, jax.random.gumbel(jax.random.key(0), (4000, 3, 4, 3)))
    flat = np.asarray(codes).reshape(4000, 12)
    pairs = np.zeros((3, 3))
    np.add.at(pairs, (flat[:, :-1], flat[:, 1:]), 1)
    counts = pairs.sum(1, keepdims=True)
    error = np.sqrt(matrix * (1 - matrix) / counts)
    assert (np.abs(pairs / counts - matrix) < 4 * error).all()
    first = np.bincount(flat[:, 0], minlength=3) / 4000  # after code 0
    np.testing.assert_allclose(first, matrix[0], atol=4 * np.sqrt(0.25 / 4000))


def test_a_prior_that_remembers_draws_what_it_draws_when_called_on_the_whole_grid():
    class Whole(nn.Module):
        """The same network without `at`."""

        inner: nn.Module

        @nn.compact
        def __call__(self, numbers, *, train):
            return self.inner(numbers, train=train)

    prior = vq.CodePrior(6, width=8, layers=2, kernel_size=3)
    drawn, kept = [], {}
    for network in (prior, Whole(prior)):
        algorithm = vq_vae(
            vq.Encoder(4, width=8), vq.Decoder(1, width=8), network, likelihood=likelihoods.gaussian(0.5),
            shape=(16, 16, 1), codes=6, hyper={"lr": 1e-3, "lr_prior": 1e-3, "b1": 0.9, "b2": 0.999,
                                               "commitment": 0.25, "codebook_decay": 0.99, "revive": 0.0},
        )  # fmt: skip
        state = algorithm.init(jax.random.key(0))
        params = {**state.params, "codebook": {}}
        kept = params["prior"] if network is prior else kept
        params["prior"] = kept if network is prior else {"inner": kept}
        drawn.append(np.asarray(algorithm.prior(Weights(params, state.stats), jax.random.key(1), 40)))
    np.testing.assert_array_equal(*drawn)
    assert len(np.unique(drawn[0])) > 8
