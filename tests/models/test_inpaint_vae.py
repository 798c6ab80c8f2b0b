"""The inpainting VAE: what is hidden is not looked at, what is observed comes back, masks are as they are said."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gen_jax.core.errors import UserError
from gen_jax.core.types import weights
from gen_jax.models.inpaint_vae import inpaint_vae
from gen_jax.nets import inpaint
from gen_jax.objectives import likelihoods, masks

SHAPE = (8, 8, 1)
X = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (6, *SHAPE)), jnp.float32)
MASK = masks.family(jax.random.key(3), 6, 8, 8).at[0].set(1.0)


def build(shape=SHAPE):
    sizes = {"width": 4, "stages": 2}
    return inpaint_vae(
        inpaint.Encoder(3, **sizes), inpaint.Encoder(3, **sizes), inpaint.Decoder(1, **sizes),
        likelihood=likelihoods.gaussian(0.5), shape=shape, hyper={"lr": 3e-3, "b1": 0.9, "b2": 0.999, "beta": 1.0},
    )  # fmt: skip


def test_what_is_hidden_changes_nothing_and_what_is_observed_comes_back():
    algorithm = build()
    view = weights(algorithm.init(jax.random.key(0)))
    complete = jax.jit(
        lambda x: algorithm.samplers["complete"].draw(view, jax.random.key(1), 6, {"x": x, "mask": MASK})
    )
    whole, hidden = complete(X), complete(jnp.where(MASK == 0, jnp.nan, X))
    np.testing.assert_array_equal(whole, hidden)
    np.testing.assert_array_equal(jnp.where(MASK == 1, whole, 0), jnp.where(MASK == 1, X, 0))
    assert bool(jnp.all(jnp.where(MASK == 0, whole != X, True)))


def test_the_bound_is_of_hidden_cells_alone():
    algorithm = build()
    view = weights(algorithm.init(jax.random.key(0)))
    evaluate = jax.jit(lambda mask: algorithm.evaluate(view, {"x": X, "mask": mask}, jax.random.key(1)))
    found, everything = evaluate(MASK), evaluate(jnp.ones_like(MASK))
    np.testing.assert_allclose(found["bound"], found["reconstruction"] - found["kl"], rtol=1e-5)
    np.testing.assert_array_equal(everything["reconstruction"], 0)
    assert float(found["reconstruction"][0]) == 0
    assert bool(jnp.all(found["reconstruction"][1:] < 0))
    assert bool(jnp.all(found["kl"] >= 0))


def test_it_learns_to_complete():
    """Images of one grey each: after training, a few observed cells tell the others."""
    algorithm = build()
    grey = jnp.broadcast_to(jnp.linspace(-1, 1, 32)[:, None, None, None], (32, *SHAPE))
    train = jax.jit(
        lambda s: jax.lax.scan(lambda s, _: algorithm.update(s, {"train": {"x": grey[None]}}), s, length=300)
    )
    state, metrics = train(algorithm.init(jax.random.key(0)))
    assert float(metrics["bound"][-50:].mean()) > float(metrics["bound"][:10].mean())
    mask = jnp.zeros_like(grey).at[:, :4, :4].set(1.0)
    again = algorithm.samplers["complete"].draw(weights(state), jax.random.key(1), 32, {"x": grey, "mask": mask})
    assert float(jnp.abs(again - grey).mean()) < 0.25


def test_masks_are_of_all_kinds():
    drawn = np.asarray(masks.family(jax.random.key(0), 400, 8, 8))
    assert drawn.shape == (400, 8, 8, 1)
    assert set(np.unique(drawn)) == {0.0, 1.0}
    shares = drawn.mean(axis=(1, 2, 3))
    for share in (0.0, 0.25, 0.5, 0.75):  # everything hidden, a quarter, a half, all but a quarter
        assert (shares == share).sum() > 10
    assert ((shares > 0.05) & (shares < 0.95)).mean() > 0.6


def test_mistakes_get_one_line():
    with pytest.raises(UserError, match="points"):
        build(shape=(4,))
    algorithm = build()
    view = weights(algorithm.init(jax.random.key(0)))
    with pytest.raises(UserError, match="give mask"):
        algorithm.samplers["complete"].draw(view, jax.random.key(1), 6, {"x": X})
