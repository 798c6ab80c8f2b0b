"""Every algorithm on every backend: the same losses and parameters, the same noise, one compilation, no host transfer.

A new model joins by adding its row to contract_rows.py.
"""

import gc
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from contract_rows import ROWS, SHAPE, Row, descent
from contract_rows_labels import READ_LABELS

from gen_jax.core import axis, parallel
from gen_jax.core.errors import UserError
from gen_jax.core.players import adam
from gen_jax.core.types import given_of, weights

BATCH, STEPS = 16, 5
MIXES = {"minibatch_stddev", "stylegan2"}  # discriminators that judge an example beside its neighbours, by design
READS_LABELS = READ_LABELS  # models that learn from labels they are not given when asked for anything


@pytest.fixture(scope="module", params=ROWS, ids=lambda row: row.name)
def row(request):
    """One row after another: what was compiled for it is thrown away at its end (processes can map so much memory),
    the small programs that all rows share are not."""
    yield request.param
    for kept in (programs, started, compiled, one_by_one):
        kept.cache_clear()
    gc.collect()


@pytest.fixture(autouse=True)
def _hundreds_of_programs_run_for_five_steps():
    jax.config.update("jax_enable_compilation_cache", False)
    yield
    jax.config.update("jax_enable_compilation_cache", True)


def resident(minibatches):
    """A data set on the device, and a fetch of this instance's rows of a round's batches."""
    generator = np.random.default_rng(0)
    data = {"x": generator.uniform(-1, 1, (64, *SHAPE)).astype(np.float32), "label": np.arange(64) % 10}
    data = {"x": jnp.asarray(data["x"]), "label": jnp.asarray(data["label"], jnp.int32)}
    data["input"] = data["x"][:, ::2, ::2]  # of models that are given a picture

    def fetch(data, step, position):
        local = BATCH // (jax.lax.axis_size(axis.DATA_AXIS) if axis.bound() else 1)

        def stream(count):
            offsets = jnp.arange(count, dtype=jnp.int32)[:, None] * BATCH + axis.rows(local)[None]
            return {name: leaf[(step * 7 + offsets) % 64] for name, leaf in data.items()}

        return {name: stream(count) for name, count in minibatches.items()}

    return data, fetch


class Programs(NamedTuple):
    """Of a row, each compiled once for all tests that call it."""

    algorithm: Any
    init: Any
    update: Any
    offered: Any  # (view, batch, key) -> what the model makes of a batch, by name


@cache
def programs(name: str, optimizer):
    algorithm = next(row for row in ROWS if row.name == name).build(optimizer)
    return Programs(algorithm, jax.jit(algorithm.init), jax.jit(algorithm.update), jax.jit(partial(offered, algorithm)))


@cache
def started(name: str, optimizer):
    """(algorithm, initial state) of a row. Take a copy of the state: steps donate it."""
    made = programs(name, optimizer)
    return made.algorithm, made.init(jax.random.key(0))


fresh = jax.jit(lambda state: jax.tree.map(jnp.copy, state))


@cache
def compiled(name: str, backend: str, devices: int, optimizer):
    """(many steps of a row, its data): one compilation for every number of steps up to STEPS."""
    algorithm, _ = started(name, optimizer)
    where = parallel.layout(backend, devices)  # pyright: ignore[reportArgumentType]
    data, fetch = resident(algorithm.minibatches)
    run = parallel.many_steps(algorithm.update, fetch, where, STEPS, streamed=False)
    return run, parallel.place(data, where), where


def train(row: Row, backend: str, devices: int, optimizer=descent, steps=STEPS, state=None):
    run, data, where = compiled(row.name, backend, devices, optimizer)
    state = fresh(started(row.name, optimizer)[1]) if state is None else state
    return run(parallel.place(state, where), data, parallel.place_count(steps, where))


@cache
def one_by_one(name: str):
    """The reference: the bare update, jitted, a step at a time on one device."""
    algorithm, state = started(name, descent)
    data, fetch = resident(algorithm.minibatches)
    update, metrics, sizes = programs(name, descent).update, [], []
    for step in range(STEPS):
        state, values = update(state, fetch(data, step, 0))
        metrics.append(values)
        sizes.append(update._cache_size())
    assert sizes[0] == sizes[-1]
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


def test_a_round_is_traced_on_a_mesh(row):
    """Shapes, types and named axes of an update that several devices share, where it is not run there."""
    state = started(row.name, descent)[1]
    run, data, where = compiled(row.name, "shard_map", 4, descent)
    after, _ = run.eval_shape(parallel.place(state, where), data, parallel.place_count(STEPS, where))
    assert jax.tree.map(jnp.shape, after) == jax.tree.map(jnp.shape, state)


def test_the_collectives_agree_without_devices(row):
    algorithm, state = started(row.name, descent)
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
    algorithm, init, update, _ = programs(row.name, descent)
    data, fetch = resident(algorithm.minibatches)
    keys = jnp.stack([jax.random.key(seed) for seed in (0, 1)])
    batch = fetch(data, 0, 0)
    states = jax.jit(jax.vmap(algorithm.init))(keys)
    together, _ = jax.jit(jax.vmap(algorithm.update, in_axes=(0, None)))(states, batch)
    for number, key in enumerate(keys):
        alone, _ = update(init(key), batch)
        for mine, other in zip(jax.tree.leaves(alone.params), jax.tree.leaves(together.params), strict=True):
            np.testing.assert_allclose(other[number], mine, rtol=1e-4, atol=1e-6)


def offered(algorithm, view, batch, key):
    """What a model makes of a batch, an example at a time, by name: one program (compiling each takes several times
    longer)."""
    found = {}
    if algorithm.evaluate:
        found["evaluate"] = algorithm.evaluate(view, batch, key)
    if algorithm.encode:
        found["encode"] = algorithm.encode(view, batch)
    if algorithm.score:
        found["score"] = algorithm.score(view, batch, key)
    if algorithm.likelihood:
        found["likelihood"] = algorithm.likelihood(view, batch, key, 4)
    if algorithm.classify:
        found["classify"] = algorithm.classify(view, batch)
    if algorithm.cluster:
        found["cluster"] = algorithm.cluster(view, batch)
    return found


def drawn(algorithm, view, key, known):
    """Six of what each sampler draws, by name, and "decoded", the prior's latents through the decoder: one program."""
    found = {name: each.draw(view, key, 6, given_of(known, each.given)) for name, each in algorithm.samplers.items()}
    if algorithm.prior and algorithm.decode:
        given = given_of(known, algorithm.given)
        found["decoded"] = algorithm.decode(view, algorithm.prior(view, key, 6, given), given)
    return found


def examples():
    """The first six, and all: NumPy's, so that no slice of them is a program."""
    data = {name: np.asarray(leaf) for name, leaf in resident({})[0].items()}
    return {name: leaf[:6] for name, leaf in data.items()}, data


def of_first(found):
    return jax.tree.map(lambda leaf: np.asarray(leaf[0]), found)


def test_what_a_model_offers_works(row):
    """Samples, latents, encodings and held-out values have the promised shapes and are finite."""
    algorithm, state = started(row.name, descent)
    batch, view, key = examples()[0], weights(state), jax.random.key(1)
    known = {**batch, "mask": (np.arange(64).reshape(1, *SHAPE) % 2).repeat(6, axis=0), "condition": batch["label"]}
    images = jax.jit(partial(drawn, algorithm))(view, key, known)
    assert "prior" in images or not images  # a classifier draws nothing
    assert all(leaf.shape == (6, *SHAPE) for leaf in images.values())
    if "decoded" in images:
        np.testing.assert_allclose(images["decoded"], images["prior"], rtol=1e-5, atol=1e-6)
    assert algorithm.normal_prior == ("truncated" in images)
    found = programs(row.name, descent).offered(view, batch, key)
    assert all(leaf.shape[0] == 6 for leaf in jax.tree.leaves(found))
    assert all(value.shape == (6,) for value in found.get("evaluate", {}).values())
    assert algorithm.best is None or algorithm.best in found["evaluate"]
    assert set(found.get("likelihood", ())) in (set(), {"value", "standard_error", "effective_samples"})
    assert all(value.shape == (6,) for value in found.get("likelihood", {}).values())
    assert "score" not in found or found["score"].shape == (6,)
    for leaf in jax.tree.leaves((images, found)):
        assert bool(jnp.isfinite(leaf).all())


def test_what_a_model_is_given_is_asked_for_in_one_line(row):
    algorithm, state = started(row.name, descent)
    if not algorithm.given:
        return
    with pytest.raises(UserError, match=algorithm.given[0]) as caught:
        jax.eval_shape(lambda: algorithm.samplers["prior"].draw(weights(state), jax.random.key(0), 2, {}))
    assert "\n" not in str(caught.value)


def test_an_output_of_an_example_is_its_own(row):
    """Neighbours permuted, replaced or absent change nothing; nor does NaN in what the model must not read."""
    algorithm, state = started(row.name, descent)
    if row.name in MIXES:
        return
    (batch, data), view, key = examples(), weights(state), jax.random.key(1)
    offer = programs(row.name, descent).offered
    found = of_first(offer(view, batch, key))
    order = np.asarray([0, 3, 5, 1, 2, 4])
    others = {
        "permuted": {name: leaf[order] for name, leaf in batch.items()},
        "replaced": {name: np.concatenate([leaf[:1], data[name][20:25]]) for name, leaf in batch.items()},
        "absent": {name: leaf[:1] for name, leaf in batch.items()},
    }
    if "label" not in algorithm.given:
        others["unread"] = {**batch, "label": np.full(6, np.nan, np.float32)}
    for what, batch in others.items():
        again = of_first(offer(view, batch, key))
        for (path, leaf), other in zip(jax.tree.leaves_with_path(found), jax.tree.leaves(again), strict=True):
            np.testing.assert_allclose(
                other, leaf, rtol=1e-4, atol=1e-5, err_msg=f"{what}: {jax.tree_util.keystr(path)}"
            )


def test_training_reads_no_label_that_it_is_not_given(row):
    algorithm, state = started(row.name, descent)
    if "label" in algorithm.given or row.name in READS_LABELS:
        return
    data, fetch = resident(algorithm.minibatches)
    batches = fetch(data, 0, 0)
    blind = {name: {**batch, "label": jnp.full(batch["label"].shape, jnp.nan)} for name, batch in batches.items()}
    update = programs(row.name, descent).update
    (one, _), (other, _) = update(state, batches), update(state, blind)
    for leaf, again in zip(jax.tree.leaves(one.params), jax.tree.leaves(other.params), strict=True):
        np.testing.assert_array_equal(leaf, again)
