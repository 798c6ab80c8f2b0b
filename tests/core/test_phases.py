"""The engine against hand-worked games: who moves, in which order, on which minibatch, and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from gen_jax.core import keys
from gen_jax.core.compose import compose
from gen_jax.core.errors import UserError
from gen_jax.core.phases import Phase, SharedForward
from gen_jax.core.players import Player, apply, sgd
from gen_jax.core.types import Aux, weights


class Scalar(nn.Module):
    """One parameter, w, starting at `start`."""

    start: float

    @nn.compact
    def __call__(self, x, *, train):
        return self.param("w", lambda _: jnp.float32(self.start)) * x


def player(start, **options):
    return Player(Scalar(start), (jax.ShapeDtypeStruct((), jnp.float32),), sgd("lr"), **options)


def value(state, name):
    return float(state.params[name]["w"])


def batch(*images):
    """A round that draws these minibatches of "train"."""
    return {"train": {"x": jnp.asarray(images, jnp.float32)}}


def test_each_phase_moves_its_own_players_and_sees_its_predecessors():
    # f = a * b. Phase 1: a <- a - lr * b. Phase 2: b <- b - lr * a(new).
    def product(params, context):
        return params["a"]["w"] * params["b"]["w"], Aux()

    players = {"a": player(1.0), "b": player(2.0)}
    algorithm = compose(players, [Phase(("a",), product), Phase(("b",), product)], {"lr": 0.1})
    state, _ = algorithm.update(algorithm.init(jax.random.key(0)), batch([[0.0]]))
    assert value(state, "a") == pytest.approx(1.0 - 0.1 * 2.0)
    assert value(state, "b") == pytest.approx(2.0 - 0.1 * 0.8)
    assert int(state.step) == 1


def test_repeats_take_consecutive_minibatches_and_fresh_phases_their_own():
    def pull(name):
        return lambda params, context: (params[name]["w"] * context.batch["x"].mean(), Aux())

    phases = [Phase(("a",), pull("a"), repeats=2), Phase(("b",), pull("b")), Phase(("c",), pull("c"), fresh=True)]
    algorithm = compose({n: player(0.0) for n in "abc"}, phases, {"lr": 1.0})
    assert algorithm.minibatches == {"train": 3}
    state, _ = algorithm.update(algorithm.init(jax.random.key(0)), batch([1.0], [10.0], [100.0]))
    assert [value(state, n) for n in "abc"] == [-11.0, -1.0, -100.0]


def test_repeats_differ_in_their_keys():
    def noisy(params, context):
        return params["a"]["w"] * 0.0, Aux(metrics={"noise": jax.random.normal(context.key)})

    algorithm = compose({"a": player(0.0)}, [Phase(("a",), noisy, repeats=2)], {"lr": 1.0})
    state = algorithm.init(jax.random.key(3))
    _, metrics = algorithm.update(state, batch([0.0], [0.0]))
    phase_key = jax.random.fold_in(jax.random.fold_in(jax.random.key(3), 0), 0)
    draws = [jax.random.normal(jax.random.fold_in(phase_key, repeat)) for repeat in range(2)]
    assert draws[0] != draws[1]
    np.testing.assert_allclose(metrics["noise"], np.mean(draws), rtol=1e-6)


@pytest.mark.parametrize("bad", [jnp.nan, jnp.inf])
def test_a_nonfinite_step_is_skipped_and_counted(bad):
    def objective(params, context):
        loss = params["a"]["w"] * context.batch["x"].mean()
        return loss, Aux(stats={"a": {"seen": {"x": context.batch["x"].mean()}}}, aux={"c": loss})

    algorithm = compose({"a": player(1.0, ema="decay")}, [Phase(("a",), objective)], {"lr": 0.5, "decay": 0.0},
                        aux={"c": jnp.float32(0.0)})  # fmt: skip
    state = algorithm.init(jax.random.key(0))
    state = state.replace(stats={"a": {"seen": {"x": jnp.float32(0)}}})
    state, _ = algorithm.update(state, batch([1.0]))
    before = state
    for count in (1, 2):
        state, metrics = algorithm.update(state, batch([bad]))
        assert metrics["nonfinite/in_a_row"] == count
    for name in ("params", "opt", "stats", "ema"):
        assert jax.tree.all(
            jax.tree.map(lambda x, y: bool((x == y).all()), getattr(before, name), getattr(state, name))
        )
    assert state.aux["c"] == before.aux["c"]
    assert int(state.step) == 3
    state, metrics = algorithm.update(state, batch([1.0]))
    assert metrics["nonfinite/in_a_row"] == 0
    assert metrics["nonfinite/total"] == 2
    assert value(state, "a") == pytest.approx(0.0)


def test_clipping_bounds_the_step_and_projection_the_parameter():
    def steep(params, context):
        return 100.0 * params["a"]["w"], Aux()

    clipped = compose({"a": player(0.0, clip="clip")}, [Phase(("a",), steep)], {"lr": 1.0, "clip": 2.0})
    state, metrics = clipped.update(clipped.init(jax.random.key(0)), batch([0.0]))
    assert value(state, "a") == pytest.approx(-2.0)
    assert metrics["gradient_norm/a"] == pytest.approx(100.0)

    def box(params, hyper):
        return jax.tree.map(lambda p: jnp.clip(p, -hyper["box"], hyper["box"]), params)

    projected = compose({"a": player(0.0, project=box)}, [Phase(("a",), steep)], {"lr": 1.0, "box": 0.25})
    state, _ = projected.update(projected.init(jax.random.key(0)), batch([0.0]))
    assert value(state, "a") == -0.25


def test_average_follows_its_closed_form():
    # w falls by 1 a step; with decay 0.5 (from step 8 on the warm-up no longer binds) the mean obeys the recurrence.
    def slope(params, context):
        return params["a"]["w"], Aux()

    algorithm = compose({"a": player(0.0, ema="decay")}, [Phase(("a",), slope)], {"lr": 1.0, "decay": 0.5})
    state, expected = algorithm.init(jax.random.key(0)), 0.0
    for step in range(12):
        state, _ = algorithm.update(state, batch([0.0]))
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * -(step + 1)
    assert float(state.ema["a"]["w"]) == pytest.approx(expected, rel=1e-6)
    assert weights(state).params["a"]["w"] == state.ema["a"]["w"]
    assert weights(state, averaged=False).params["a"]["w"] == state.params["a"]["w"]


class Norm(nn.Module):
    """A weight beside a running mean and a counter of the calls."""

    @nn.compact
    def __call__(self, x, *, train):
        mean = self.variable("stats", "mean", lambda: jnp.float32(0.0))
        count = self.variable("stats", "count", lambda: jnp.int32(0))
        if train:
            mean.value, count.value = 0.9 * mean.value + 0.1 * jnp.mean(x), count.value + 1
        return self.param("w", lambda _: jnp.float32(0.0)) * x


def averaging(**options):
    """One player on a slope of 1, whose statistics follow the minibatches."""
    net = Player(Norm(), (jax.ShapeDtypeStruct((2,), jnp.float32),), sgd("lr"), ema="decay", **options)

    def objective(params, context):
        _, new = apply(net, params["a"], context.stats["a"], context.batch["x"], train=True)
        return params["a"]["w"], Aux({"a": new})

    return compose({"a": net}, [Phase(("a",), objective)], {"lr": 1.0, "decay": 0.5})


def test_statistics_are_averaged_where_the_player_says_so():
    algorithm = averaging(ema_statistics=True)
    state, raw, mean, w = algorithm.init(jax.random.key(0)), 0.0, 0.0, 0.0
    for step in range(12):
        state, _ = algorithm.update(state, batch([step, step + 2.0]))
        decay = min(0.5, (1 + step) / (10 + step))
        raw = 0.9 * raw + 0.1 * (step + 1)
        mean, w = decay * mean + (1 - decay) * raw, decay * w + (1 - decay) * -(step + 1)
    found = weights(state)
    assert float(found.stats["a"]["stats"]["mean"]) == pytest.approx(mean, rel=1e-6)
    assert float(found.params["a"]["w"]) == pytest.approx(w, rel=1e-6)
    assert int(found.stats["a"]["stats"]["count"]) == 12  # a counter is copied
    assert float(weights(state, averaged=False).stats["a"]["stats"]["mean"]) == pytest.approx(raw, rel=1e-6)


def test_statistics_stay_raw_by_default():
    algorithm = averaging()
    state = algorithm.init(jax.random.key(0))
    assert state.ema_stats == {}
    state, _ = algorithm.update(state, batch([1.0, 3.0]))
    assert float(weights(state).stats["a"]["stats"]["mean"]) == pytest.approx(0.2)


def test_a_shared_forward_gives_the_gradients_of_the_whole():
    # outputs y = g * x; phase d: d <- d - lr * d(d*y); phase g: through y, with the new d.
    def forward(params, context):
        return params["g"]["w"] * context.batch["x"], {}

    def objective(params, context):
        return (params["d"]["w"] * context.shared**2).mean(), Aux()

    players = {"g": player(3.0), "d": player(2.0)}
    phases = [Phase(("d",), objective), Phase(("g",), objective)]
    algorithm = compose(players, phases, {"lr": 0.01}, shared=SharedForward(("g",), forward))
    state, _ = algorithm.update(algorithm.init(jax.random.key(0)), batch([1.0, 2.0]))
    d = 2.0 - 0.01 * np.mean([9.0, 36.0])
    assert value(state, "d") == pytest.approx(d)
    assert value(state, "g") == pytest.approx(3.0 - 0.01 * d * 2 * 3.0 * np.mean([1.0, 4.0]))


def test_hyper_batches_by_vmap():
    def slope(params, context):
        return params["a"]["w"], Aux()

    algorithm = compose({"a": player(0.0)}, [Phase(("a",), slope)], {"lr": 1.0})
    state = algorithm.init(jax.random.key(0))
    many = jax.tree.map(lambda x: jnp.stack([x] * 3), state.replace(key=jnp.zeros(())))
    many = many.replace(hyper={"lr": jnp.array([0.1, 0.2, 0.3])}, key=jax.random.split(jax.random.key(0), 3))
    moved, _ = jax.vmap(algorithm.update, in_axes=(0, None))(many, batch([0.0]))
    np.testing.assert_allclose(moved.params["a"]["w"], [-0.1, -0.2, -0.3], rtol=1e-6)


def test_equal_seeds_give_a_player_equal_weights_whatever_plays_beside_it():
    def nothing(params, context):
        return 0.0 * sum(own["kernel"].sum() for own in params.values()), Aux()

    class Dense(nn.Module):
        @nn.compact
        def __call__(self, x, *, train):
            return x @ self.param("kernel", nn.initializers.normal(), (3, 3))

    dense = Player(Dense(), (jax.ShapeDtypeStruct((2, 3), jnp.float32),), sgd("lr"))
    alone = compose({"a": dense}, [Phase(("a",), nothing)], {"lr": 1.0}).init(jax.random.key(0))
    beside = compose({"b": dense, "a": dense}, [Phase(("a", "b"), nothing)], {"lr": 1.0}).init(jax.random.key(0))
    np.testing.assert_array_equal(alone.params["a"]["kernel"], beside.params["a"]["kernel"])
    assert not np.array_equal(beside.params["a"]["kernel"], beside.params["b"]["kernel"])


def test_what_cannot_be_composed_is_refused():
    def nothing(params, context):
        return jnp.float32(0.0), Aux()

    with pytest.raises(ValueError, match=r"unknown players \['b'\]"):
        compose({"a": player(0.0)}, [Phase(("b",), nothing)], {"lr": 1.0})
    with pytest.raises(ValueError, match="no phase moves b; the phases move a"):
        compose({"a": player(0.0), "b": player(0.0)}, [Phase(("a",), nothing)], {"lr": 1.0})
    with pytest.raises(ValueError, match="shared forward"):
        shared = SharedForward(("a",), lambda params, context: (0.0, {}))
        compose({"a": player(0.0)}, [Phase(("a",), nothing, repeats=2)], {"lr": 1.0}, shared=shared)


def test_a_player_without_parameters_need_not_move():
    class Nothing(nn.Module):
        @nn.compact
        def __call__(self, x, *, train):
            return x

    def nothing(params, context):
        return params["a"]["w"], Aux()

    still = Player(Nothing(), (jax.ShapeDtypeStruct((), jnp.float32),), sgd("lr"))
    compose({"a": player(0.0), "b": still}, [Phase(("a",), nothing)], {"lr": 1.0})


def test_a_hyper_that_nothing_reads_is_refused_as_the_round_is_traced():
    def slope(params, context):
        return params["a"]["w"] * context.hyper["beta"], Aux()

    hyper = {"lr": 1.0, "beta": 2.0}
    sound = compose({"a": player(0.0)}, [Phase(("a",), slope)], hyper)
    sound.update(sound.init(jax.random.key(0)), batch([0.0]))
    wrong = compose({"a": player(0.0)}, [Phase(("a",), slope)], hyper | {"bata": 1.0, "decay": 0.9})
    with pytest.raises(UserError, match="hyper bata, decay: nothing in this model reads them; it reads beta, lr"):
        jax.eval_shape(wrong.update, wrong.init(jax.random.key(0)), batch([0.0]))


def test_a_hyper_that_is_read_and_not_there_is_named_whoever_reads_it():
    def slope(params, context):
        return params["a"]["w"] * context.hyper["beta"], Aux()

    def build(**hyper):
        return compose({"a": player(0.0)}, [Phase(("a",), slope)], hyper)

    with pytest.raises(UserError, match="hyper lr: .* set --hyper.lr"):
        build(beta=1.0).init(jax.random.key(0))
    without_beta = build(lr=1.0)
    with pytest.raises(UserError, match="hyper beta: .* set --hyper.beta"):
        jax.eval_shape(without_beta.update, without_beta.init(jax.random.key(0)), batch([0.0]))


def test_named_keys_and_rows_are_stable():
    key = jax.random.key(0)
    assert (keys.named(key, "latents") == jax.random.fold_in(key, 3530432112)).all()  # CRC-32 of the name, for ever
    whole = keys.normal(key, 8, 2)
    sharded = jax.vmap(lambda _: keys.normal(key, 2, 2), axis_name="data", axis_size=4, in_axes=None)(0.0)
    np.testing.assert_array_equal(whole, sharded.reshape(8, 2))
