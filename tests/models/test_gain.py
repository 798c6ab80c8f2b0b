"""GAIN: what is hidden is not looked at, what is observed comes back, and it learns what a neighbour column tells."""

import jax
import jax.numpy as jnp
import numpy as np

from gen_jax.core.types import weights
from gen_jax.models.gain import gain
from gen_jax.nets.inpaint import Cells

HYPER = {"lr_generator": 3e-3, "lr_discriminator": 3e-3, "b1": 0.9, "b2": 0.999, "hint": 0.9, "alpha": 100.0}


def build(width=2):
    return gain(
        Cells((width,), (16,)), Cells((width,), (16,)), shape=(width,), hyper=HYPER, low=np.zeros(width), high=1.0
    )


def test_it_learns_what_a_column_tells_of_another_and_sees_nothing_hidden():
    """Two equal columns, three cells in ten missing: one tells the other. NaN and any other filling train alike."""
    algorithm, random = build(), np.random.default_rng(0)
    values = random.uniform(size=256).astype(np.float32)
    mask = (random.uniform(size=(256, 2)) > 0.3).astype(np.float32)
    alone = (mask == 0) & (mask.sum(axis=1, keepdims=True) == 1)
    x = jnp.stack([values, values], axis=1)

    @jax.jit
    def train(x):
        def one(state, _):
            return algorithm.update(state, {"train": {"x": x[None], "mask": jnp.asarray(mask)[None]}})

        return jax.lax.scan(one, jax.jit(algorithm.init)(jax.random.key(0)), None, length=600)[0]

    state, blind = train(x), train(jnp.where(mask == 0, jnp.nan, x))
    for one, other in zip(jax.tree.leaves(state.params), jax.tree.leaves(blind.params), strict=True):
        np.testing.assert_array_equal(one, other)
    view, given = weights(state), {"x": jnp.where(mask == 0, jnp.nan, x), "mask": jnp.asarray(mask)}
    for name in ("complete", "expected"):
        again = np.asarray(algorithm.samplers[name].draw(view, jax.random.key(1), 256, given))
        np.testing.assert_array_equal(again[mask == 1], np.asarray(x)[mask == 1])
        assert np.sqrt(((again - np.asarray(x))[alone] ** 2).mean()) < 0.25  # the mean's: 0.29


def test_values_come_back_in_their_own_units():
    algorithm = gain(
        Cells((2,), (4,)), Cells((2,), (4,)), shape=(2,), hyper=HYPER, low=np.array([10.0, 5.0]),
        high=np.array([20.0, 5.0]),
    )  # fmt: skip
    drawn = algorithm.samplers["prior"].draw(weights(jax.jit(algorithm.init)(jax.random.key(0))), jax.random.key(1), 50)
    assert float(drawn[:, 0].min()) >= 10
    assert float(drawn[:, 0].max()) <= 20
    assert bool(jnp.isfinite(drawn).all())  # a column of one value, too
