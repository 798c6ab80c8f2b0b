"""Gradients of single examples, clipped and noised: against a loop over examples, on shards, and what they refuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax.sharding import PartitionSpec

from gen_jax.core import axis, keys, parallel
from gen_jax.core.compose import compose
from gen_jax.core.errors import UserError
from gen_jax.core.gradients import private
from gen_jax.core.phases import Phase, SharedForward
from gen_jax.core.players import Player, caller, sgd
from gen_jax.core.types import Aux

ROWS, BOUND, NOISE, RATE = 8, 9.0, 1.3, 0.1
X = np.random.default_rng(0).normal(size=(1, ROWS, 3)).astype(np.float32) * np.linspace(0.1, 2, ROWS)[None, :, None]
ROUND = {"train": {"x": jnp.asarray(X, jnp.float32)}}


class Net(nn.Module):
    @nn.compact
    def __call__(self, x, *, train):
        return nn.Dense(2)(nn.tanh(nn.Dense(4)(x)))


def composed(objective, noise=0.0, **options):
    inputs = (jax.ShapeDtypeStruct((2, 3), jnp.float32),)
    players = {name: Player(Net(), inputs, sgd("lr")) for name in ("a", "b")}
    phase = Phase(("a", "b"), objective(caller(players)), gradient=private("bound", "noise"))
    return compose(players, [phase], {"lr": RATE, "bound": BOUND, "noise": noise}, **options)


def squares(call):
    """A mean over rows, with noise of each row's own: E |a(x) + b(x) + n - x_0|^2."""

    def objective(params, context):
        x = context.batch["x"]
        noise = keys.normal(keys.named(context.key, "input"), x.shape[0], 2)
        out = sum(call(name, params, context.stats, x, train=True)[0] for name in ("a", "b"))
        value = ((out + noise - x[:, :1]) ** 2).sum(axis=-1)
        return value.mean(), Aux(metrics={"loss": value.mean(), "noise": noise.mean()})

    return objective


def by_hand(algorithm, state):
    """(sum of the clipped gradients, losses), by a python loop over examples."""
    inputs = (jax.ShapeDtypeStruct((2, 3), jnp.float32),)
    call = caller({name: Player(Net(), inputs, sgd("lr")) for name in ("a", "b")})
    key = jax.random.fold_in(jax.random.fold_in(jax.random.fold_in(state.key, 0), 0), 0)
    noise, x = keys.normal(keys.named(key, "input"), ROWS, 2), ROUND["train"]["x"][0]
    total, losses = jax.tree.map(jnp.zeros_like, state.params), []
    for row in range(ROWS):

        def loss(params, row=row):
            out = sum(call(name, params, state.stats, x[row : row + 1], train=True)[0] for name in ("a", "b"))
            return ((out[0] + noise[row] - x[row, :1]) ** 2).sum()

        value, grads = jax.value_and_grad(loss)(state.params)
        norm = np.sqrt(sum(float((leaf**2).sum()) for leaf in jax.tree.leaves(grads)))
        total = jax.tree.map(lambda t, g, s=min(1.0, BOUND / norm): t + s * g, total, grads)
        losses.append((float(value), norm))
    return total, losses


def assert_close(got, wanted):
    for leaf, other in zip(jax.tree.leaves(got), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(leaf, other, rtol=1e-4, atol=1e-6)


def test_the_clipped_sum_is_that_of_a_loop_over_examples():
    algorithm = composed(squares)
    state = jax.jit(algorithm.init)(jax.random.key(0))
    after, metrics = jax.jit(algorithm.update)(state, ROUND)
    total, losses = by_hand(algorithm, state)
    assert min(norm for _, norm in losses) < BOUND < max(norm for _, norm in losses)
    assert_close(after.params, jax.tree.map(lambda p, g: p - RATE * g / ROWS, state.params, total))
    assert float(metrics["loss"]) == pytest.approx(np.mean([value for value, _ in losses]), rel=1e-5)


def test_the_noise_has_its_standard_deviation_and_differs_by_round():
    """With a bound so large that nothing is clipped, what the noise adds is sigma bound / rows a coordinate."""

    def flat(call):
        def objective(params, context):
            out = call("a", params, context.stats, context.batch["x"], train=True)[0]
            return 0.0 * out.sum() + 0.0 * jax.tree.leaves(params["b"])[0].sum(), Aux()

        return objective

    algorithm = composed(flat, noise=NOISE)
    states = jax.jit(jax.vmap(algorithm.init))(jax.random.split(jax.random.key(3), 400))
    after, _ = jax.jit(jax.vmap(algorithm.update, in_axes=(0, None)))(states, ROUND)
    moved = jnp.concatenate(
        [(x - y).reshape(400, -1) for x, y in zip(*map(jax.tree.leaves, (after.params, states.params)), strict=True)], 1
    )
    assert float(moved.std()) == pytest.approx(RATE * NOISE * BOUND / ROWS, rel=0.02)
    assert float(jnp.abs(jnp.corrcoef(moved[:, 0], moved[:, -1])[0, 1])) < 0.2
    one = jax.jit(algorithm.init)(jax.random.key(0))
    first, _ = algorithm.update(one, ROUND)
    second, _ = algorithm.update(one.replace(step=jnp.int32(1)), ROUND)
    assert not np.allclose(first.params["a"]["Dense_0"]["kernel"], second.params["a"]["Dense_0"]["kernel"], atol=1e-6)


def test_four_shards_take_the_step_of_one_device():
    """By `vmap` over the data axis and on four devices: the noise is drawn once, whatever holds the rows."""
    algorithm = composed(squares, noise=NOISE)
    state = jax.jit(algorithm.init)(jax.random.key(0))
    one, metrics = jax.jit(algorithm.update)(state, ROUND)
    split = {"train": {"x": ROUND["train"]["x"].reshape(1, 4, ROWS // 4, 3)}}
    mapped = jax.vmap(algorithm.update, in_axes=(None, 1), axis_name=axis.DATA_AXIS, axis_size=4, out_axes=None)
    four, theirs = jax.jit(mapped)(state, split)
    assert_close(four.params, one.params)
    assert_close(theirs, metrics)
    where = parallel.layout("shard_map", 4).mesh
    whole, rows = PartitionSpec(), PartitionSpec(None, axis.DATA_AXIS)
    spread = jax.shard_map(algorithm.update, mesh=where, in_specs=(whole, rows), out_specs=whole, check_vma=False)
    devices, theirs = jax.jit(spread)(state, ROUND)
    assert_close(devices.params, one.params)
    assert_close(theirs, metrics)


def test_noise_inside_is_each_rows_own_and_that_of_the_batch_at_once():
    drawn = {}

    def look(purpose):
        def objective(params, context):
            count = context.batch["x"].shape[0]
            jax.debug.callback(
                lambda noise, row: drawn.setdefault(purpose, {}).update(zip(row.tolist(), noise.tolist(), strict=True)),
                keys.normal(context.key, count, 2),
                axis.rows(count),
            )
            return params["a"]["kernel"].sum() * context.batch["x"].mean(), Aux()

        return objective

    class Kernel(nn.Module):
        @nn.compact
        def __call__(self, x, *, train):
            return self.param("kernel", nn.initializers.ones, (3,))

    players = {"a": Player(Kernel(), (jax.ShapeDtypeStruct((2, 3), jnp.float32),), sgd("lr"))}
    alone = compose(players, [Phase(("a",), look("alone"), gradient=private("bound", "noise"))],
                    {"lr": RATE, "bound": BOUND, "noise": 0.0})  # fmt: skip
    together = compose(players, [Phase(("a",), look("together"))], {"lr": RATE})
    for algorithm in (alone, together):
        algorithm.update(jax.jit(algorithm.init)(jax.random.key(5)), ROUND)
    jax.effects_barrier()
    assert set(drawn["alone"]) == set(drawn["together"]) == set(range(ROWS))
    assert drawn["alone"] == drawn["together"]
    assert len({tuple(noise) for noise in drawn["alone"].values()}) == ROWS


@pytest.mark.parametrize("mean", [axis.batch_mean, axis.pmean, lambda x: axis.gather(x).mean()])
def test_a_mean_over_the_batch_is_refused(mean):
    def objective(call):
        def mixed(params, context):
            out = call("a", params, context.stats, context.batch["x"], train=True)[0]
            return jnp.sum(mean(out)), Aux()

        return mixed

    algorithm = composed(objective)
    with pytest.raises(UserError, match="this loss mixes examples"):
        jax.eval_shape(algorithm.update, jax.eval_shape(algorithm.init, jax.random.key(0)), ROUND)


@pytest.mark.parametrize("aux", [Aux(stats={"a": {"mean": jnp.zeros(2)}}), Aux(aux={"c": jnp.float32(1.0)})])
def test_moving_statistics_and_controllers_are_refused(aux):
    algorithm = composed(lambda call: lambda params, context: (jnp.float32(0.0), aux), aux={"c": jnp.float32(0.0)})
    with pytest.raises(UserError, match="no statistics and no controllers"):
        jax.eval_shape(algorithm.update, jax.eval_shape(algorithm.init, jax.random.key(0)), ROUND)


def test_a_shared_forward_is_refused():
    shared = SharedForward(("a",), lambda params, context: (params["a"], {}))
    algorithm = composed(squares, shared=shared)
    with pytest.raises(UserError, match="a private phase needs its own"):
        jax.eval_shape(algorithm.update, jax.eval_shape(algorithm.init, jax.random.key(0)), ROUND)
