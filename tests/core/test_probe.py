"""Probes: the same on every backend, in due rounds only, and a branch (not both sides) where runs train as one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from contract_rows import ROWS, SHAPE, descent

from gen_jax.core import axis, parallel
from gen_jax.core.parallel import PROBED, Probe

BATCH, ROUNDS, EVERY = 8, 5, 2
ROW = {row.name: row for row in ROWS}


def fetch(data, step, position):
    local = BATCH // (jax.lax.axis_size(axis.DATA_AXIS) if axis.bound() else 1)
    index = (step * 3 + axis.rows(local)) % 16
    return {"train": {name: leaf[index][None] for name, leaf in data.items()}}


def data():
    images = np.random.default_rng(0).uniform(-1, 1, (16, *SHAPE)).astype(np.float32)
    return {"x": jnp.asarray(images), "label": jnp.arange(16) % 10}


@pytest.fixture(scope="module", params=["dcgan", "vae"])
def probed(request):
    """(algorithm, metrics of `ROUNDS` rounds on a backend)."""
    algorithm = ROW[request.param].build(descent)
    jax.config.update("jax_disable_most_optimizations", True)

    def run(backend, devices):
        where = parallel.layout(backend, devices)
        steps = parallel.many_steps(algorithm.update, fetch, where, ROUNDS, False, Probe(EVERY, algorithm.probe))
        state, given = parallel.place((jax.jit(algorithm.init)(jax.random.key(0)), data()), where)
        return jax.device_get(steps(state, given, parallel.place_count(ROUNDS, where))[1])

    yield run
    jax.config.update("jax_disable_most_optimizations", False)


def test_probes_agree_on_every_backend_and_look_in_due_rounds_only(probed):
    alone = probed("jit", 1)
    names = [name for name in alone if name.startswith(PROBED)]
    assert names
    for name in names:
        assert list(np.isfinite(alone[name])) == [False, True, False, True, False], name
    shared = probed("shard_map", 4)
    for name in names:
        np.testing.assert_allclose(shared[name], alone[name], rtol=1e-4, atol=1e-6, err_msg=name)


def test_a_probe_stays_a_branch_when_seeds_train_as_one():
    class Counter:
        looks = 0

    def looked():
        Counter.looks += 1

    def look(state, batch, key):
        jax.debug.callback(looked)
        return {"seen": state["step"].astype(jnp.float32)}

    def update(state, batch):
        return State({"step": state.step + 1, "key": state.key}), {}

    class State(dict):
        step = property(lambda self: self["step"])
        key = property(lambda self: self["key"])

    jax.tree_util.register_pytree_node(
        State, lambda s: ((s["step"], s["key"]), None), lambda _, c: State(step=c[0], key=c[1])
    )
    steps = parallel.many_steps(
        update, lambda d, s, p: {"train": {"x": d}}, parallel.layout("jit"), 4, False, Probe(4, look)
    )
    both = State(step=jnp.zeros(2, jnp.int32), key=jax.random.split(jax.random.key(0), 2))
    _, metrics = jax.jit(jax.vmap(steps, in_axes=(0, None, None)))(both, jnp.zeros((1, 1)), 4)
    np.testing.assert_array_equal(metrics[PROBED + "seen"][:, 3], [4.0, 4.0])
    assert np.isnan(metrics[PROBED + "seen"][:, :3]).all()
    jax.effects_barrier()
    assert Counter.looks == 1  # in the one due round; a select would look in all four
