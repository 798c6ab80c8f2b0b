"""Every algorithm on every backend: the same losses and parameters, the same noise, one compilation, no host transfer.

A new model joins by adding its row to contract_rows.py.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from contract_rows import ROWS, SHAPE, Row

from gen_jax.core import parallel
from gen_jax.core.players import adam, sgd

BATCH, STEPS = 16, 5
each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


@pytest.fixture(autouse=True)
def _quick_compilation():
    """Hundreds of small programs, each run for five steps: LLVM's optimisations would be most of the suite's time."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


def resident(minibatches):
    """A data set on the device, and a fetch of this instance's rows of a step's batch."""
    generator = np.random.default_rng(0)
    data = {"image": generator.uniform(-1, 1, (64, *SHAPE)).astype(np.float32), "label": np.arange(64) % 10}
    data = {"image": jnp.asarray(data["image"]), "label": jnp.asarray(data["label"], jnp.int32)}

    def fetch(data, step, position):
        from gen_jax.core import axis

        local = BATCH // (jax.lax.axis_size(axis.DATA_AXIS) if axis.bound() else 1)
        offsets = jnp.arange(minibatches, dtype=jnp.int32)[:, None] * BATCH + axis.rows(local)[None]
        index = (step * 7 + offsets) % 64
        return {name: leaf[index] for name, leaf in data.items()}

    return data, fetch


def train(row: Row, backend: str, devices: int, optimizer=sgd, steps=STEPS, state=None, capacity=STEPS):
    algorithm = row.build(optimizer)
    where = parallel.layout(backend, devices)  # pyright: ignore[reportArgumentType]
    data, fetch = resident(algorithm.minibatches)
    run = parallel.many_steps(algorithm.update, fetch, where, capacity, streamed=False)
    if state is None:
        state = jax.jit(algorithm.init)(jax.random.key(0))
    state, data = parallel.place((state, data), where)
    return run(state, data, parallel.place_count(steps, where))


def one_by_one(row: Row, steps=STEPS):
    """The reference: the bare update, jitted, a step at a time on one device."""
    algorithm = row.build(sgd)
    data, fetch = resident(algorithm.minibatches)
    update = jax.jit(algorithm.update)
    state, metrics = jax.jit(algorithm.init)(jax.random.key(0)), []
    for step in range(steps):
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


@pytest.fixture(scope="module")
def reference():
    made = {}
    return lambda row: made.get(row.name) or made.setdefault(row.name, one_by_one(row))


@each_row
@pytest.mark.parametrize(("backend", "devices"), [("jit", 1), ("sharded", 4), ("pmap", 4), ("shard_map", 4)])
def test_every_backend_makes_the_same_update(row, backend, devices, reference):
    assert_same(train(row, backend, devices), reference(row))


@each_row
def test_the_collectives_agree_without_devices(row, reference):
    algorithm = row.build(sgd)
    data, fetch = resident(algorithm.minibatches)

    def update(state, step, _shard):
        return algorithm.update(state, fetch(data, step, 0))

    mapped = jax.jit(jax.vmap(update, in_axes=(None, None, 0), axis_name="data", out_axes=None))
    state, metrics = jax.jit(algorithm.init)(jax.random.key(0)), []
    for step in range(STEPS):
        state, values = mapped(state, jnp.int32(step), jnp.arange(4))
        metrics.append(values)
    assert_same((state, {name: np.stack([m[name] for m in metrics]) for name in metrics[0]}), reference(row))


@each_row
def test_resuming_is_bitwise(row):
    """Straight; interrupted with the state taken through the host; and in calls of other lengths: the same bits."""
    straight, _ = train(row, "jit", 1, optimizer=adam)
    part, _ = train(row, "jit", 1, optimizer=adam, steps=2)
    part = jax.tree.map(
        lambda x: x if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else jnp.asarray(np.asarray(x)), part
    )
    resumed, _ = train(row, "jit", 1, optimizer=adam, steps=3, state=part, capacity=3)
    for (path, leaf), other in zip(jax.tree.leaves_with_path(straight), jax.tree.leaves(resumed), strict=True):
        bits = [jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x for x in (leaf, other)]
        np.testing.assert_array_equal(*bits, err_msg=str(path))


@each_row
def test_one_compilation_and_no_host_transfer(row):
    algorithm = row.build(adam)
    data, fetch = resident(algorithm.minibatches)
    where = parallel.layout("jit", 1)
    run = parallel.many_steps(algorithm.update, fetch, where, 4, streamed=False)
    state, counts = (
        jax.jit(algorithm.init)(jax.random.key(0)),
        [parallel.place_count(n, parallel.layout("jit")) for n in (4, 3, 4, 1)],
    )
    state, data = parallel.place((state, data), where)
    with jax.transfer_guard("disallow"):
        for count in counts:
            state, _ = run(state, data, count)
    assert run._cache_size() == 1  # pyright: ignore[reportFunctionMemberAccess]
    assert int(state.step) == 12


@each_row
def test_seeds_batch_by_vmap(row):
    """Two seeds in one vmapped program equal the two alone."""
    algorithm = row.build(sgd)
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


@each_row
def test_what_a_model_offers_works(row):
    """Samples, latents, encodings and held-out values have the promised shapes and are finite."""
    from gen_jax.core.types import weights

    algorithm = row.build(sgd)
    state, key = jax.jit(algorithm.init)(jax.random.key(0)), jax.random.key(1)
    data, _ = resident(1)
    batch = {name: leaf[:6] for name, leaf in data.items()}
    view = weights(state)
    label = batch["label"]
    images = algorithm.sample(view, key, 6, label)
    assert images.shape == (6, *SHAPE)
    if algorithm.prior and algorithm.decode:
        latents = algorithm.prior(view, key, 6)
        np.testing.assert_allclose(algorithm.decode(view, latents, label), images, rtol=1e-5, atol=1e-6)
    values = [images]
    if algorithm.evaluate:
        held_out = algorithm.evaluate(view, state.hyper, batch, key)
        assert all(value.shape == (6,) for value in held_out.values())
        assert algorithm.best is None or algorithm.best in held_out
        values += held_out.values()
    if algorithm.encode:
        values.append(algorithm.encode(view, batch)["mean"])
    if algorithm.score:
        values.append(algorithm.score(view, batch, key))
        assert values[-1].shape == (6,)
    if algorithm.log_likelihood:
        values.append(algorithm.log_likelihood(view, batch, key, 4))
        assert values[-1].shape == (6,)
    if algorithm.classify:
        values.append(algorithm.classify(view, batch))
    assert all(bool(jnp.isfinite(value).all()) for value in values)
