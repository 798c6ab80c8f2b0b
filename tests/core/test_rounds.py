"""The loop of a call: what is chosen ahead, metrics in rows, looks between loops; all as if each round stood alone."""

from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gen_jax.core import norms, rounds

CAPACITY = 7


def one(state: Any, position: Any, chosen: Any) -> Any:
    after = state + 1
    extra = 0 if chosen is None else chosen["a"]
    return after, {"step": after.astype(jnp.float32), "pair": jnp.stack([after, position]), "extra": jnp.int32(extra)}


@pytest.mark.parametrize("count", [0, 1, 3, CAPACITY])
@pytest.mark.parametrize("ahead", [False, True])
def test_metrics_of_the_rounds_that_were_and_zeros_after_them(count, ahead):
    chosen, begin = {"a": 10 + jnp.arange(CAPACITY)} if ahead else None, cast(Any, jnp.int32(4))
    state, metrics = jax.jit(lambda n: rounds.loop(one, begin, n, CAPACITY, chosen))(count)
    was = np.arange(CAPACITY) < count
    numbers = np.arange(CAPACITY)
    assert state == 4 + count
    np.testing.assert_array_equal(metrics["step"], np.where(was, 5.0 + numbers, 0))
    np.testing.assert_array_equal(metrics["pair"], np.stack([np.where(was, 5 + numbers, 0), numbers * was], 1))
    np.testing.assert_array_equal(metrics["extra"], np.where(was & ahead, 10 + numbers, 0))
    assert metrics["step"].dtype == jnp.float32
    assert metrics["pair"].dtype == jnp.int32


class Counted:
    def __init__(self, step):
        self.step = step


jax.tree_util.register_pytree_node(Counted, lambda c: ((c.step,), None), lambda _, c: Counted(*c))


@pytest.mark.parametrize(("start", "count"), [(0, 7), (2, 7), (3, 2), (3, 3), (5, 1), (0, 0)])
def test_looks_come_by_the_run_s_own_steps(start, count):
    glance = rounds.Glance(3, lambda state, position, chosen: {"at": 1.0 * state.step, "row": 1.0 * position})

    def advance(state: Any, position: Any, chosen: Any) -> Any:
        return Counted(state.step + 1), {"step": state.step + 1}

    first: Any = Counted(jnp.int32(start))
    loop = jax.jit(lambda n: rounds.loop(advance, first, n, CAPACITY, None, glance))
    state, metrics = loop(count)
    steps = start + 1 + np.arange(CAPACITY)
    due = (steps % 3 == 0) & (np.arange(CAPACITY) < count)
    assert state.step == start + count
    np.testing.assert_array_equal(metrics["at"], np.where(due, steps, np.nan))
    np.testing.assert_array_equal(metrics["row"], np.where(due, np.arange(CAPACITY), np.nan))


def test_a_fetch_in_halves_is_a_fetch():
    drawn = rounds.Drawn(lambda data, step: step % len(data), lambda data, chosen: {"train": {"x": data[chosen]}})
    assert drawn(jnp.arange(5), jnp.int32(7), jnp.int32(0))["train"]["x"] == 2


@pytest.mark.parametrize(
    "sizes", [(3,), (3, 5, 1), (norms.SMALL + 1, 4, norms.SMALL), (norms.SMALL + 1, norms.SMALL + 2)]
)
def test_joined_sums_are_the_sums(sizes):
    leaves = [jax.random.normal(jax.random.key(size), (size, 1)) for size in sizes]
    wanted = sum(float(np.sum(np.asarray(leaf, np.float64) ** 2)) for leaf in leaves)
    for sum_of in (norms.one_by_one, norms.joined):
        np.testing.assert_allclose(sum_of(leaves), wanted, rtol=1e-6)
    np.testing.assert_allclose(norms.euclidean(leaves), np.sqrt(wanted), rtol=1e-6)
