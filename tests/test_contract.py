"""Every algorithm on every backend: the same losses and parameters, the same noise, one compilation, no host transfer.

A new model joins by adding its row to contract_rows.py.
"""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from contract_rows import ROWS, SHAPE, Row

from gen_jax.core import parallel
from gen_jax.core.players import adam, sgd

BATCH, STEPS = 16, 5


@pytest.fixture(scope="module", params=ROWS, ids=lambda row: row.name)
def row(request):
    """One row after another: what was compiled for it is thrown away at its end (processes can map so much memory)."""
    yield request.param
    for kept in (started, compiled, one_by_one):
        kept.cache_clear()
    jax.clear_caches()


@pytest.fixture(autouse=True)
def _hundreds_of_programs_run_for_five_steps():
    jax.config.update("jax_disable_most_optimizations", True)
    jax.config.update("jax_enable_compilation_cache", False)
    yield
    jax.config.update("jax_enable_compilation_cache", True)


def resident(minibatches):
    """A data set on the device, and a fetch of this instance's rows of a step's batch."""
    generator = np.random.default_rng(0)
    data = {"x": generator.uniform(-1, 1, (64, *SHAPE)).astype(np.float32), "label": np.arange(64) % 10}
    data = {"x": jnp.asarray(data["x"]), "label": jnp.asarray(data["label"], jnp.int32)}

    def fetch(data, step, position):
        from gen_jax.core import axis

        local = BATCH // (jax.lax.axis_size(axis.DATA_AXIS) if axis.bound() else 1)
        offsets = jnp.arange(minibatches, dtype=jnp.int32)[:, None] * BATCH + axis.rows(local)[None]
        index = (step * 7 + offsets) % 64
        return {name: leaf[index] for name, leaf in data.items()}

    return data, fetch


@cache
def started(name: str, optimizer):
    """(algorithm, initial state) of a row; compiled once for all tests. Take a copy of the state: steps donate it."""
    algorithm = next(row for row in ROWS if row.name == name).build(optimizer)
    return algorithm, jax.jit(algorithm.init)(jax.random.key(0))


fresh = jax.jit(lambda state: jax.tree.map(jnp.copy, state))


@cache
def compiled(name: str, backend: str, devices: int, optimizer):
    """(many steps of a row, its data): one compilation for every number of steps up to STEPS."""
    algorithm, _ = started(name, optimizer)
    where = parallel.layout(backend, devices)  # pyright: ignore[reportArgumentType]
    data, fetch = resident(algorithm.minibatches)
    run = parallel.many_steps(algorithm.update, fetch, where, STEPS, streamed=False)
    return run, parallel.place(data, where), where


def train(row: Row, backend: str, devices: int, optimizer=sgd, steps=STEPS, state=None):
    run, data, where = compiled(row.name, backend, devices, optimizer)
    state = fresh(started(row.name, optimizer)[1]) if state is None else state
    return run(parallel.place(state, where), data, parallel.place_count(steps, where))


@cache
def one_by_one(name: str):
    """The reference: the bare update, jitted, a step at a time on one device."""
    algorithm, state = started(name, sgd)
    data, fetch = resident(algorithm.minibatches)
    update, metrics = jax.jit(algorithm.update), []
    for step in range(STEPS):
        state, values = update(state, fetch(data, step, 0))
        metrics.append(values)
    assert update._cache_size() == 1
    return state, {name: np.stack([m[name] for m in metrics]) for name in metrics[0]}


def assert_same(got, wanted, rtol=1e-5):
    (state, metrics), (state_, metrics_) = got, wanted
    for name, values in metrics_.items():
        np.testing.assert_allclose(metrics[name], values, rtol=10 * rtol, atol=1e-5, err_msg=name)
    for part in ("params", "stats", "ema"):
        for path, leaf in jax.tree.leaves_with_path(getattr(state_, part)):
            other = dict(jax.tree.leaves_with_path(getattr(state, part)))[path]
            # Relative to the size of the tensor: single entries near zero carry the rounding of their neighbours, and
            # a whole tensor near zero (one bias) that of the sums that it is the difference of.
            scale = max(float(np.abs(leaf).max()), 0.01)
            np.testing.assert_allclose(other, leaf, rtol=rtol, atol=rtol * scale, err_msg=f"{part}{path}")
    assert int(state.step) == int(state_.step) == STEPS


@pytest.mark.parametrize(("backend", "devices"), [("jit", 1), ("sharded", 4), ("pmap", 4), ("shard_map", 4)])
def test_every_backend_makes_the_same_update(row, backend, devices):
    assert_same(train(row, backend, devices), one_by_one(row.name))


def test_the_collectives_agree_without_devices(row):
    algorithm, state = started(row.name, sgd)
    data, fetch = resident(algorithm.minibatches)

    def update(state, step, _shard):
        return algorithm.update(state, fetch(data, step, 0))

    mapped = jax.jit(jax.vmap(update, in_axes=(None, None, 0), axis_name="data", out_axes=None))
    metrics = []
    for step in range(STEPS):
        state, values = mapped(state, jnp.int32(step), jnp.arange(4))
        metrics.append(values)
    assert_same((state, {name: np.stack([m[name] for m in metrics]) for name in metrics[0]}), one_by_one(row.name))


def test_resuming_is_bitwise(row):
    """Straight, and interrupted with the state taken through the host, in calls of other lengths: the same bits."""
    straight, _ = train(row, "jit", 1, optimizer=adam)
    part, _ = train(row, "jit", 1, optimizer=adam, steps=2)
    part = jax.tree.map(
        lambda x: x if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else jnp.asarray(np.asarray(x)), part
    )
    resumed, _ = train(row, "jit", 1, optimizer=adam, steps=3, state=part)
    for (path, leaf), other in zip(jax.tree.leaves_with_path(straight), jax.tree.leaves(resumed), strict=True):
        bits = [jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x for x in (leaf, other)]
        np.testing.assert_array_equal(*bits, err_msg=str(path))


def test_one_compilation_and_no_host_transfer(row):
    run, data, where = compiled(row.name, "jit", 1, adam)
    state = parallel.place(fresh(started(row.name, adam)[1]), where)
    counts = [parallel.place_count(n, where) for n in (4, 3, 4, 1)]
    with jax.transfer_guard("disallow"):
        for count in counts:
            state, _ = run(state, data, count)
    assert run._cache_size() == 1  # pyright: ignore[reportFunctionMemberAccess]
    assert int(state.step) == 12


def test_seeds_batch_by_vmap(row):
    """Two seeds in one vmapped program equal the two alone."""
    algorithm, _ = started(row.name, sgd)
    data, fetch = resident(algorithm.minibatches)
    keys = jnp.stack([jax.random.key(seed) for seed in (0, 1)])
    batch = fetch(data, 0, 0)
    init, update = jax.jit(algorithm.init), jax.jit(algorithm.update)
    states = jax.jit(jax.vmap(algorithm.init))(keys)
    together, _ = jax.jit(jax.vmap(algorithm.update, in_axes=(0, None)))(states, batch)
    for number, key in enumerate(keys):
        alone, _ = update(init(key), batch)
        for mine, other in zip(jax.tree.leaves(alone.params), jax.tree.leaves(together.params), strict=True):
            np.testing.assert_allclose(other[number], mine, rtol=1e-4, atol=1e-6)


def test_what_a_model_offers_works(row):
    """Samples, latents, encodings and held-out values have the promised shapes and are finite."""
    from gen_jax.core.types import weights

    algorithm, state = started(row.name, sgd)
    data, _ = resident(1)
    batch, view = {name: leaf[:6] for name, leaf in data.items()}, weights(state)

    @jax.jit  # one program: operation by operation, compiling takes several times longer
    def all_of_it(batch, view, key):
        label, found = batch["label"], {"images": algorithm.sample(view, key, 6, batch["label"])}
        if algorithm.prior and algorithm.decode:
            found["decoded"] = algorithm.decode(view, algorithm.prior(view, key, 6), label)
        if algorithm.evaluate:
            found["held_out"] = algorithm.evaluate(view, state.hyper, batch, key)
        if algorithm.encode:
            found["mean"] = algorithm.encode(view, batch)["mean"]
        if algorithm.score:
            found["score"] = algorithm.score(view, batch, key)
        if algorithm.log_likelihood:
            found["log_likelihood"] = algorithm.log_likelihood(view, batch, key, 4)
        if algorithm.classify:
            found["classes"] = algorithm.classify(view, batch)
        return found

    found = all_of_it(batch, view, jax.random.key(1))
    assert found["images"].shape == (6, *SHAPE)
    np.testing.assert_allclose(found.get("decoded", found["images"]), found["images"], rtol=1e-5, atol=1e-6)
    held_out = found.get("held_out", {})
    assert all(value.shape == (6,) for value in held_out.values())
    assert algorithm.best is None or algorithm.best in held_out
    assert all(found[name].shape == (6,) for name in ("score", "log_likelihood") if name in found)
    assert all(bool(jnp.isfinite(value).all()) for value in jax.tree.leaves(found))
