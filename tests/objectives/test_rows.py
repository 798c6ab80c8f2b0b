"""Encoded rows: there and back, against scikit-learn's responsibilities, closed forms, and with gaps and strangers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gen_jax.core.errors import UserError
from gen_jax.data import modes
from gen_jax.data.columns import Column
from gen_jax.models.tvae import log_prob
from gen_jax.objectives import rows

COLUMNS = (
    Column("pay", 0.0, 1.0, "continuous"),
    Column("city", 0.0, 1.0, "category", categories=("a", "b", "c")),
    Column("few", 0.0, 1.0, "integer"),
    Column("still", 0.0, 1.0, "integer"),
    Column("buys", 0.0, 1.0, "category", categories=("no", "yes")),
)


def table(n=400, seed=0):
    random = np.random.default_rng(seed)
    pay = np.where(random.uniform(size=n) < 0.3, random.normal(-3, 0.2, n), random.normal(2, 0.7, n))
    pay[::10] = np.nan
    city, buys = random.integers(0, 3, n).astype(float), random.integers(0, 2, n).astype(float)
    buys[::7] = np.nan
    return np.stack([pay, city, random.integers(0, 4, n) * 0.5, np.full(n, 1.5), buys], axis=1).astype(np.float32)


X = table()
CHOICES = modes.fit(X, COLUMNS)
LAYOUT = rows.layout(CHOICES)


def test_what_columns_fall_into():
    pay, city, few, still, buys = CHOICES
    assert pay.missing
    assert pay.spread.all()
    np.testing.assert_allclose(pay.spread, 4 * pay.deviation, rtol=1e-6)
    assert (pay.weight > modes.LEAST).all()
    np.testing.assert_array_equal(city.centre, [0, 1, 2])
    np.testing.assert_array_equal(few.centre, [0, 0.5, 1, 1.5])
    assert (len(still.centre), still.missing, buys.missing, city.missing) == (1, False, True, False)
    assert LAYOUT.width == 1 + len(pay.centre) + 1 + 3 + 4 + 1 + 3
    assert list(LAYOUT.numbers) == [0]


def test_the_mixture_finds_the_modes_and_not_the_order():
    values = np.sort(X[~np.isnan(X[:, 0]), 0].astype(float))
    weight, centre, deviation = modes.mixture(values)
    near = [(abs(centre - at) < 0.5) & (weight > 0.1) for at in (-3, 2)]
    assert all(each.any() for each in near)
    assert abs(weight.sum() - 1) < 1e-9
    shuffled = np.random.default_rng(1).permutation(len(X))
    for one, other in zip(CHOICES, modes.fit(X[shuffled], COLUMNS), strict=True):
        for part in modes.Choices._fields:
            np.testing.assert_array_equal(getattr(one, part), getattr(other, part))
    assert (deviation > 0).all()


def there_and_back(x, key=None):
    row = rows.encode(LAYOUT, jnp.asarray(x), key)
    return row, np.asarray(rows.decode(LAYOUT, *rows.split(LAYOUT, row)))


@pytest.mark.parametrize("key", [None, 0])
def test_the_way_back(key):
    """Whichever mode a number was said to be of; clipped where it lies four deviations from that centre."""
    row, again = there_and_back(X, None if key is None else jax.random.key(key))
    np.testing.assert_allclose(again[:, 1:], X[:, 1:], atol=1e-6)
    alpha = np.asarray(row[:, 0])
    inside = (np.abs(alpha) < 0.98) & ~np.isnan(X[:, 0])
    np.testing.assert_array_equal(np.isnan(again[:, 0]), np.isnan(X[:, 0]))
    np.testing.assert_allclose(again[inside, 0], X[inside, 0], atol=1e-5)
    assert inside.sum() > 0.85 * len(X)


def test_modes_are_drawn_by_their_responsibilities():
    """The share of draws of each mode is N(x; m, s) w over the sum (section 4.2)."""
    pay = CHOICES[0]
    x = np.tile(np.array([0.9, 0, 0, 1.5, 0], np.float32), (20_000, 1))
    _, parts = rows.split(LAYOUT, rows.encode(LAYOUT, jnp.asarray(x), jax.random.key(0)))
    group = next(i for i, g in enumerate(LAYOUT.groups) if 0 in g.columns)
    place = list(LAYOUT.groups[group].columns).index(0)
    shares = np.asarray(parts[group][:, place]).mean(axis=0)
    density = pay.weight * np.exp(-0.5 * ((0.9 - pay.centre) / pay.deviation) ** 2) / pay.deviation
    np.testing.assert_allclose(shares[:-1], density / density.sum(), atol=0.015)
    assert shares[-1] == 0


def test_strangers_and_gaps_that_train_rows_have_not_are_no_choice():
    x = np.array([[0.0, -1, 0, 1.5, -1], [0.0, np.nan, np.nan, 1.5, np.nan]], np.float32)
    _, parts = rows.split(LAYOUT, rows.encode(LAYOUT, jnp.asarray(x)))
    chosen = {int(c): np.asarray(p[:, i]) for g, p in zip(LAYOUT.groups, parts, strict=True)
              for i, c in enumerate(g.columns)}  # fmt: skip
    assert chosen[1].sum() == 0
    assert chosen[2][1].sum() == 0
    np.testing.assert_array_equal(chosen[4], [[0, 0, 0], [0, 0, 1]])


def test_gaps_in_rows_that_are_not_trained_on_change_nothing():
    """Fitted on train rows: the others can hold what they will."""
    _, first = there_and_back(X[:50])
    holed = X.copy()
    holed[50:] = np.nan
    _, again = there_and_back(holed)
    np.testing.assert_array_equal(first, again[:50])


def test_conditions_stand_where_the_categories_do():
    row = np.asarray(rows.encode(LAYOUT, jnp.asarray(X)))[:, LAYOUT.conditions]
    np.testing.assert_array_equal(row[:, :3].argmax(axis=1), X[:, 1])
    np.testing.assert_array_equal(row[:, 3:].argmax(axis=1), np.nan_to_num(X[:, 4], nan=2))
    assert row.shape[1] == 6


def test_soft_rows_are_rows():
    raw = jax.random.normal(jax.random.key(0), (64, LAYOUT.width)) * 3
    soft = rows.soften(LAYOUT, raw, jax.random.key(1), 0.2)
    alphas, parts = rows.split(LAYOUT, soft)
    assert float(jnp.abs(alphas).max()) <= 1
    for part in parts:
        np.testing.assert_allclose(part.sum(axis=-1), 1, rtol=1e-5)
    sharp = rows.split(LAYOUT, rows.soften(LAYOUT, raw, jax.random.key(1), 1e-3))[1]
    drawn = rows.drawn(LAYOUT, rows.split(LAYOUT, raw)[1], jax.random.key(1))
    for one, other in zip(sharp, drawn, strict=True):
        np.testing.assert_array_equal(one.argmax(axis=-1), other.argmax(axis=-1))


def test_the_likelihood_of_a_row_is_scipys():
    from scipy import stats

    random = np.random.default_rng(0)
    raw = random.normal(size=(6, LAYOUT.width)).astype(np.float32)
    row, spread = np.asarray(rows.encode(LAYOUT, jnp.asarray(X[:6]))), np.array([0.3], np.float32)
    wanted = np.where(np.isnan(X[:6, 0]), 0.0, stats.norm.logpdf(row[:, 0], np.tanh(raw[:, 0]), 0.3))
    start = 1
    for group in LAYOUT.groups:
        for _ in group.columns:
            stop = start + group.centre.shape[1]
            p = np.exp(raw[:, start:stop]) / np.exp(raw[:, start:stop]).sum(axis=1, keepdims=True)
            wanted += np.log(p[np.arange(6), row[:, start:stop].argmax(axis=1)]) * row[:, start:stop].sum(axis=1)
            start = stop
    found = log_prob(LAYOUT, jnp.asarray(raw), jnp.asarray(spread), jnp.asarray(row))
    np.testing.assert_allclose(found, wanted, rtol=1e-4)


def test_nothing_is_no_table():
    with pytest.raises(UserError, match="needs a column"):
        rows.layout([])


def test_a_value_that_many_rows_share_comes_back_as_it_is():
    """Zeros beside a spread: no Gaussian is laid about them, and their alpha says nothing."""
    random = np.random.default_rng(0)
    x = np.where(random.uniform(size=1000) < 0.6, 0.0, random.normal(1.0, 0.5, 1000)).astype(np.float32)[:, None]
    (choices,) = modes.fit(x, [Column("gain", 0.0, 1.0, "continuous")])
    assert list(choices.centre[choices.spread == 0]) == [0.0]
    layout = rows.layout([choices])
    for key in (None, jax.random.key(0)):
        row = rows.encode(layout, jnp.asarray(x), key)
        again = np.asarray(rows.decode(layout, *rows.split(layout, row)))
        np.testing.assert_array_equal(again[x == 0], 0.0)
        moves = np.asarray(rows.moving(layout, rows.split(layout, row)[1]))
        np.testing.assert_array_equal(moves == 0, x == 0)
        np.testing.assert_array_equal(np.asarray(row[:, 0])[x[:, 0] == 0], 0.0)
