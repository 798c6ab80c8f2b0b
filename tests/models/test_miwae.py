"""MIWAE against a Gaussian whose conditionals are known, and that it sees nothing that is hidden."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from gen_jax.core.errors import UserError
from gen_jax.core.types import weights
from gen_jax.models.miwae import miwae
from gen_jax.nets import mlp
from gen_jax.objectives import likelihoods, student
from gen_jax.objectives.bounds import Bound, Estimate, Estimator

WIDTH, LATENT, SIGMA = 5, 2, 0.5
random = np.random.default_rng(0)
LOADINGS, OFFSET = random.normal(size=(LATENT, WIDTH)).astype(np.float32), random.normal(size=WIDTH).astype(np.float32)
X = jnp.asarray(
    random.normal(size=(4, LATENT)) @ LOADINGS + OFFSET + SIGMA * random.normal(size=(4, WIDTH)), jnp.float32
)
MASK = jnp.asarray([[1, 1, 0, 0, 1], [0, 1, 1, 0, 0], [1, 0, 0, 0, 0], [1, 1, 1, 1, 0]], jnp.float32)


class Linear(nn.Module):
    """z W + b: with p(x|z) = N(., sigma²) a Gaussian of covariance W'W + sigma²."""

    @nn.compact
    def __call__(self, z, *, train):
        self.param("unused", nn.initializers.zeros_init(), (1,))
        return z @ LOADINGS + OFFSET


def factors(tails: int | None = 5):
    """A MIWAE whose decoder is the Gaussian above, and whose encoder is whatever it is at first."""
    hyper = {"lr": 1e-3, "b1": 0.9, "b2": 0.999}
    algorithm = miwae(
        mlp.Encoder(LATENT, (8,)), Linear(), likelihood=likelihoods.gaussian(SIGMA), shape=(WIDTH,), hyper=hyper,
        estimate=Estimate(Bound.IWAE, Estimator.REPARAMETERISED, 5), tails=tails,
    )  # fmt: skip
    return algorithm, weights(jax.jit(algorithm.init)(jax.random.key(0)))


def exact(row: int) -> tuple[np.ndarray, np.ndarray, float]:
    """(mean, covariance of the hidden given the observed, log-density of the true hidden ones)."""
    covariance = LOADINGS.T.astype(np.float64) @ LOADINGS + SIGMA**2 * np.eye(WIDTH)
    seen, hidden = np.flatnonzero(MASK[row] == 1), np.flatnonzero(MASK[row] == 0)
    gain = covariance[np.ix_(hidden, seen)] @ np.linalg.inv(covariance[np.ix_(seen, seen)])
    mean = OFFSET[hidden] + gain @ (np.asarray(X[row])[seen] - OFFSET[seen])
    spread = covariance[np.ix_(hidden, hidden)] - gain @ covariance[np.ix_(seen, hidden)]
    away = np.asarray(X[row])[hidden] - mean
    log = -0.5 * (away @ np.linalg.solve(spread, away) + np.linalg.slogdet(2 * np.pi * spread)[1])
    return mean, spread, float(log)


@pytest.mark.parametrize("tails", [5, None])
def test_a_gaussian_has_exact_conditionals(tails):
    algorithm, view = factors(tails)
    given, key = {"x": X, "mask": MASK}, jax.random.key(1)
    many = {name: jnp.repeat(value, 400, axis=0) for name, value in given.items()}

    @jax.jit
    def everything(view, key, given, many):
        mean = algorithm.samplers["expected"].draw(view, key, 4, given, samples=10_000)
        draws = algorithm.samplers["complete"].draw(view, key, 1600, many, samples=200)
        return mean, algorithm.likelihood(view, given, key, 10_000), draws

    mean, found, draws = everything(view, key, given, many)
    for row in range(4):
        hidden = np.flatnonzero(MASK[row] == 0)
        expected, spread, log = exact(row)
        np.testing.assert_allclose(np.asarray(mean[row])[hidden], expected, atol=0.06)
        assert float(found["value"][row]) == pytest.approx(log, abs=5 * float(found["standard_error"][row]) + 0.01)
        mine = np.asarray(draws).reshape(4, 400, WIDTH)[row][:, hidden]
        np.testing.assert_allclose(mine.mean(axis=0), expected, atol=0.25)
        np.testing.assert_allclose(np.cov(mine.T).reshape(spread.shape), spread, atol=0.35)


def test_what_is_hidden_or_missing_changes_nothing():
    """NaN, or anything, in cells that a model is not shown: the same step, the same completions, the same bound."""
    algorithm = miwae(
        mlp.Encoder(LATENT, (8,)), mlp.Decoder((WIDTH,), 3 * WIDTH, (8,)), likelihood=student.student_t(),
        shape=(WIDTH,), hyper={"lr": 1e-3, "b1": 0.9, "b2": 0.999},
        estimate=Estimate(Bound.IWAE, Estimator.DREG, 4),
    )  # fmt: skip
    state = jax.jit(algorithm.init)(jax.random.key(0))
    holes = {"nan": jnp.nan, "large": 1e6}

    @jax.jit
    def everything(x):
        batch = {"x": x, "mask": MASK}
        view, key = weights(state), jax.random.key(1)
        after, told = algorithm.update(state, {"train": jax.tree.map(lambda leaf: leaf[None], batch)})
        drawn = [each.draw(view, key, 4, batch) for name, each in algorithm.samplers.items() if each.given]
        return after.params, told, algorithm.encode(view, batch), drawn

    plain = everything(X)
    for value in holes.values():
        found = everything(jnp.where(MASK == 0, value, X))
        for one, other in zip(jax.tree.leaves(plain), jax.tree.leaves(found), strict=True):
            np.testing.assert_array_equal(one, other)
    drawn = plain[-1][0]
    np.testing.assert_array_equal(jnp.where(MASK == 1, drawn, 0), jnp.where(MASK == 1, X, 0))
    # Without a mask, what is NaN is what is hidden.
    view, gaps = weights(state), jnp.where(MASK == 0, jnp.nan, X)
    bound = algorithm.evaluate(view, {"x": gaps}, jax.random.key(1))["bound"]
    assert bool(jnp.isfinite(bound).all())
    np.testing.assert_allclose(algorithm.encode(view, {"x": gaps})["mean"], plain[2]["mean"], rtol=1e-5)


def test_mistakes_get_one_line():
    algorithm, view = factors()
    complete = algorithm.samplers["complete"].draw
    with pytest.raises(UserError, match="give mask"):
        complete(view, jax.random.key(0), 4, {"x": X})
    with pytest.raises(UserError, match=r"mask is \[4, 3\]; of x \[4, 5\] it is \[4, 5\]"):
        complete(view, jax.random.key(0), 4, {"x": X, "mask": MASK[:, :3]})
    with pytest.raises(UserError, match="images"):
        miwae(
            mlp.Encoder(2), mlp.Decoder((3,)), likelihood=likelihoods.bernoulli(), shape=(3,),
            hyper={"lr": 1e-3, "b1": 0.9, "b2": 0.999},
        )  # fmt: skip
