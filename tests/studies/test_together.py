"""Several small trainings as one program: what each makes of it alone, and what is seldom done is not done for all."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from gen_jax.core.lazily import once
from gen_jax.data import feed, source
from gen_jax.models import vae
from gen_jax.models.vae_body import vae_body
from gen_jax.nets import mlp
from gen_jax.objectives import likelihoods
from gen_jax.studies import in_memory


def points(seed: int) -> source.Source:
    x = np.random.default_rng(seed).normal(size=(24, 3)).astype(np.float32)
    return source.from_arrays("points", {"x": x}, {"x": x[:2]}, None)


def test_splits_that_learn_together_learn_what_each_learns_alone():
    networks = {"widths": (4,), "activation": nn.relu}
    likelihood = likelihoods.gaussian(1.0)
    body = vae_body(
        mlp.Encoder(2, **networks), mlp.Decoder((3,), 3, **networks), likelihood=likelihood, shape=(3,),
        hyper=vae.Hyper(),
    )  # fmt: skip
    algorithm = vae.vae(body)
    held = [feed.resident(points(seed).train) for seed in (0, 1)]
    alone = in_memory.trainer(algorithm, 5, 8)
    for one, other in zip(held, in_memory.together(algorithm, 5, 8)(held, 3), strict=True):
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5), alone(one, 3).params, other.params
        )


def test_what_nobody_asks_for_is_not_done():
    calls = []

    def step(wanted, x):
        def made():
            jax.debug.callback(lambda: calls.append(1))
            return x + 1.0

        return once(wanted, made, x)

    both = jax.jit(jax.vmap(step))
    x = jnp.arange(2.0)
    assert both(jnp.array([False, False]), x).tolist() == [0.0, 1.0]
    jax.effects_barrier()
    assert not calls
    assert both(jnp.array([False, True]), x).tolist() == [0.0, 2.0]


def test_a_rate_falls_to_zero_over_the_last_share_of_the_steps():
    from gen_jax.core.players import adam_for

    hyper = {"lr": jnp.float32(0.5), "b1": jnp.float32(0.0), "b2": jnp.float32(0.0)}
    optimizer = adam_for("lr", 4, 0.5)(hyper)
    state, moved = optimizer.init(jnp.float32(0.0)), []
    for _ in range(5):
        change, state = optimizer.update(jnp.float32(1.0), state)
        moved.append(float(change))
    assert moved == pytest.approx([-0.5, -0.5, -0.5, -0.25, 0.0], abs=1e-6)
