"""The inpainting VAE: what is hidden is not looked at, what is observed comes back, its conditionals are what is so."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from gen_jax.core.errors import UserError
from gen_jax.core.types import weights
from gen_jax.data import masks
from gen_jax.models.inpaint_vae import inpaint_vae
from gen_jax.nets import inpaint
from gen_jax.objectives import likelihoods

SHAPE = (8, 8, 1)
X = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (6, *SHAPE)), jnp.float32)
ANY = functools.partial(masks.draw, masks.named("any"))
MASK = ANY(jax.random.key(3), X).at[0].set(1.0)
HYPER = {"lr": 3e-3, "b1": 0.9, "b2": 0.999, "beta": 1.0}


def build():
    sizes = {"width": 4, "stages": 2}
    return inpaint_vae(
        inpaint.Encoder(3, **sizes), inpaint.Encoder(3, **sizes), inpaint.Decoder(1, **sizes),
        likelihood=likelihoods.gaussian(0.5), shape=SHAPE, hyper=HYPER, hide=ANY,
    )  # fmt: skip


def test_what_is_hidden_changes_nothing_and_what_is_observed_comes_back():
    algorithm = build()
    view = weights(jax.jit(algorithm.init)(jax.random.key(0)))
    complete = jax.jit(
        lambda x: algorithm.samplers["complete"].draw(view, jax.random.key(1), 6, {"x": x, "mask": MASK})
    )
    whole, hidden = complete(X), complete(jnp.where(MASK == 0, jnp.nan, X))
    np.testing.assert_array_equal(whole, hidden)
    np.testing.assert_array_equal(jnp.where(MASK == 1, whole, 0), jnp.where(MASK == 1, X, 0))
    assert bool(jnp.all(jnp.where(MASK == 0, whole != X, True)))


def test_the_bound_is_of_hidden_cells_alone():
    algorithm = build()
    view = weights(jax.jit(algorithm.init)(jax.random.key(0)))
    evaluate = jax.jit(lambda mask: algorithm.evaluate(view, {"x": X, "mask": mask}, jax.random.key(1)))
    found, everything = evaluate(MASK), evaluate(jnp.ones_like(MASK))
    np.testing.assert_allclose(found["bound"], found["reconstruction"] - found["kl"], rtol=1e-5)
    np.testing.assert_array_equal(everything["reconstruction"], 0)
    assert float(found["reconstruction"][0]) == 0
    assert bool(jnp.all(found["reconstruction"][1:] < 0))
    assert bool(jnp.all(found["kl"] >= 0))


@pytest.mark.science
def test_it_learns_to_complete():
    """Images of one grey each: after training, a few observed cells tell the others."""
    algorithm = build()
    grey = jnp.broadcast_to(jnp.linspace(-1, 1, 32)[:, None, None, None], (32, *SHAPE))
    train = jax.jit(
        lambda s: jax.lax.scan(lambda s, _: algorithm.update(s, {"train": {"x": grey[None]}}), s, length=300)
    )
    state, metrics = train(jax.jit(algorithm.init)(jax.random.key(0)))
    assert float(metrics["bound"][-50:].mean()) > float(metrics["bound"][:10].mean())
    mask = jnp.zeros_like(grey).at[:, :4, :4].set(1.0)
    again = algorithm.samplers["complete"].draw(weights(state), jax.random.key(1), 32, {"x": grey, "mask": mask})
    assert float(jnp.abs(again - grey).mean()) < 0.25


# ---- a Gaussian, whose conditionals are known ------------------------------------------------------------------------
WIDTH, SIGMA = 4, 0.5
LOADINGS = jnp.asarray([1.0, -2.0, 0.5, 1.5])
ROWS = jnp.asarray(np.random.default_rng(1).normal(size=(3, WIDTH)), jnp.float32)
SHOWN = jnp.asarray([[1, 0, 1, 0], [0, 0, 0, 1], [1, 1, 0, 1]], jnp.float32)


def _posterior(x, mask):
    """Of the one latent, given the cells of the mask: a normal."""
    precision = 1.0 + (mask * LOADINGS**2).sum(-1, keepdims=True) / SIGMA**2
    return (mask * x * LOADINGS).sum(-1, keepdims=True) / SIGMA**2 / precision, -jnp.log(precision)


class Encoder(nn.Module):
    @nn.compact
    def __call__(self, seen, *, train):
        self.param("unused", nn.initializers.zeros_init(), (1,))
        x, known, _, _ = jnp.split(seen, 4, axis=-1)
        return _posterior(x, known)


class Prior(Encoder):
    @nn.compact
    def __call__(self, seen, *, train):
        self.param("unused", nn.initializers.zeros_init(), (1,))
        return _posterior(*jnp.split(seen, 2, axis=-1))


class Decoder(nn.Module):
    @nn.compact
    def __call__(self, z, seen, *, train):
        self.param("unused", nn.initializers.zeros_init(), (1,))
        return z * LOADINGS


def factor():
    algorithm = inpaint_vae(
        Encoder(), Prior(), Decoder(), likelihood=likelihoods.gaussian(SIGMA), shape=(WIDTH,), hyper=HYPER,
        hide=functools.partial(masks.draw, masks.at_random()),
    )  # fmt: skip
    return algorithm, weights(jax.jit(algorithm.init)(jax.random.key(0)))


def test_a_gaussian_has_exact_conditionals():
    """With the exact posteriors as networks: every importance sample has the same weight, the conditional density."""
    algorithm, view = factor()
    loadings = np.asarray(LOADINGS, np.float64)
    covariance = np.outer(loadings, loadings) + SIGMA**2 * np.eye(WIDTH)

    @jax.jit
    def everything(view, given):
        drawn = {"x": jnp.repeat(given["x"], 1500, 0), "mask": jnp.repeat(given["mask"], 1500, 0)}
        likelihood = algorithm.likelihood(view, given, jax.random.key(0), 7)
        return likelihood, algorithm.samplers["complete"].draw(view, jax.random.key(1), 4500, drawn)

    found, draws = everything(view, {"x": ROWS, "mask": SHOWN})
    for row in range(3):
        seen, hidden = np.flatnonzero(SHOWN[row] == 1), np.flatnonzero(SHOWN[row] == 0)
        gain = covariance[np.ix_(hidden, seen)] @ np.linalg.inv(covariance[np.ix_(seen, seen)])
        mean = gain @ np.asarray(ROWS[row])[seen]
        spread = covariance[np.ix_(hidden, hidden)] - gain @ covariance[np.ix_(seen, hidden)]
        away = np.asarray(ROWS[row])[hidden] - mean
        log = -0.5 * (away @ np.linalg.solve(spread, away) + np.linalg.slogdet(2 * np.pi * spread)[1])
        assert float(found["value"][row]) == pytest.approx(log, abs=1e-3)
        assert float(found["effective_samples"][row]) == pytest.approx(7, abs=0.01)
        mine = np.asarray(draws).reshape(3, 1500, WIDTH)[row][:, hidden]
        np.testing.assert_allclose(mine.mean(axis=0), mean, atol=0.15)
        np.testing.assert_allclose(np.cov(mine.T).reshape(spread.shape), spread, atol=0.35)


def test_gaps_of_a_table_are_neither_seen_nor_scored():
    """A missing value, whatever stood there, moves no step; and it may be in a cell that a mask would show."""
    sizes = {"width": 8, "depth": 1}
    algorithm = inpaint_vae(
        inpaint.DenseEncoder(2, **sizes), inpaint.DenseEncoder(2, **sizes), inpaint.DenseDecoder(WIDTH, **sizes),
        likelihood=likelihoods.gaussian(1.0), shape=(WIDTH,), hyper={**HYPER, "prior_mean": 1e4, "prior_scale": 1e-4},
        hide=functools.partial(masks.draw, masks.at_random()),
    )  # fmt: skip
    state = jax.jit(algorithm.init)(jax.random.key(0))
    holed = ROWS.at[0, 1].set(jnp.nan).at[2].set(jnp.nan)  # a row of nothing, too

    @jax.jit
    def step(x, mask):
        return algorithm.update(state, {"train": {"x": x[None], "mask": mask[None]}})

    after, told = step(holed, SHOWN.at[0, 1].set(1.0))
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves((after.params, told)))
    assert float(after.aux["nonfinite"]["total"]) == 0
    again, _ = step(holed, SHOWN.at[0, 1].set(0.0))
    for one, other in zip(jax.tree.leaves(after.params), jax.tree.leaves(again.params), strict=True):
        np.testing.assert_array_equal(one, other)


def test_mistakes_get_one_line():
    algorithm = build()
    view = weights(jax.jit(algorithm.init)(jax.random.key(0)))
    with pytest.raises(UserError, match="give mask"):
        algorithm.samplers["complete"].draw(view, jax.random.key(1), 6, {"x": X})
    with pytest.raises(UserError, match=r"the mask is \[6, 8, 8\]"):
        algorithm.samplers["complete"].draw(view, jax.random.key(1), 6, {"x": X, "mask": MASK[..., 0]})
