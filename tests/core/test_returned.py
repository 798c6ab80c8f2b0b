"""What an own objective returns and the engine cannot use: one line that names it, while the round is traced."""

import jax
import jax.numpy as jnp
import optax
import pytest
from flax import linen as nn

from gen_jax.core import gradients
from gen_jax.core.compose import compose
from gen_jax.core.errors import UserError
from gen_jax.core.phases import Phase
from gen_jax.core.players import Player, adam
from gen_jax.core.types import Aux

ROUND = {"train": {"x": jnp.ones((1, 4, 3))}}
ONE = jnp.float32(0.0)


class Net(nn.Module):
    kind: type = jnp.float32

    @nn.compact
    def __call__(self, x, *, train):
        return nn.Dense(2, param_dtype=self.kind)(x)


def traced(objective, gradient=gradients.of_the_mean, kind=jnp.float32, **options):
    shape = (jax.ShapeDtypeStruct((2, 3), jnp.float32),)
    player = Player(Net(kind), shape, adam("lr"), **options)
    aux = {"pace": 0.0, "count": 0, "both": {"a": ONE, "b": ONE}}
    phase = Phase(("net",), lambda p, c: objective(player.module.apply({"params": p["net"]}, c.batch["x"], train=True)))
    algorithm = compose({"net": player}, [phase._replace(gradient=gradient)], HYPER, aux=aux)
    return jax.eval_shape(lambda: algorithm.update(algorithm.init(jax.random.key(0)), ROUND))


HYPER = {"lr": 0.1, "b1": 0.5, "b2": 0.9}
PHASE = "the phase that moves net: its "
# what an objective makes of the network's output -> words of the line; none where it is sound
CASES = {
    "sound": (lambda y: (y.mean(), Aux(metrics={"m": y.mean()}, aux={"pace": 1.0, "count": jnp.int32(1)})), None),
    "a loss a row": (lambda y: (y.mean(axis=1), Aux()), [PHASE + "loss is float32[4]", "jnp.mean"]),
    "a loss in brackets": (lambda y: (y.mean()[None], Aux()), [PHASE + "loss is float32[1]"]),
    "a count as a loss": (lambda y: ((y > 0).sum(), Aux()), [PHASE + "loss is int32[]", "no gradient"]),
    "a text as a loss": (lambda y: ("y", Aux()), [PHASE + "loss is a str"]),
    "a loss alone": (lambda y: y.mean(), [PHASE + "objective returned float32[]", "(loss, Aux(…))"]),
    "no Aux": (lambda y: (y.mean(), {}), [PHASE + "objective returned a tuple"]),
    "a metric of columns": (lambda y: (y.mean(), Aux(metrics={"m": y[0]})), [PHASE + "metric m is float32[2]"]),
    "another dtype": (
        lambda y: (y.mean(), Aux(aux={"count": 0.5})), ["controller count: its next value is float32[]", "int32[]"]),
    "another shape": (lambda y: (y.mean(), Aux(aux={"pace": y[0]})), ["controller pace", "float32[2]", "float32[]"]),
    "a part": (lambda y: (y.mean(), Aux(aux={"both": {"a": ONE}})), ["controller both", "['a'] float32[], ['b']"]),
    "a part of another shape": (
        lambda y: (y.mean(), Aux(aux={"both": {"a": ONE, "b": y[0]}})), ["controller both['b']", "float32[2]"]),
    "a controller that is not there": (
        lambda y: (y.mean(), Aux(aux={"x": ONE})), ["controller x", "pace, count, both"]),
    "statistics that were not there": (
        lambda y: (y.mean(), Aux(stats={"net": {"mean": y}})), ["the statistics of net", "before it was empty"]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_the_engine_cannot_use_is_one_line(name):
    objective, words = CASES[name]
    if words is None:
        traced(objective)
        return
    with pytest.raises(UserError) as refused:
        traced(objective)
    assert "\n" not in str(refused.value)
    for word in words:
        assert word in str(refused.value)


def test_a_gradient_of_single_examples_says_the_same():
    private = gradients.private(1.0, 0.0)
    traced(lambda y: (y.mean(), Aux(metrics={"m": y.mean()})), private)
    with pytest.raises(UserError, match=r"its loss is float32\[1\]"):
        traced(lambda y: (y.mean(axis=1), Aux()), private)
    with pytest.raises(UserError, match=r"its metric m is float32\[2\]"):
        traced(lambda y: (y.mean(), Aux(metrics={"m": y[0]})), private)


def test_a_step_keeps_the_make_of_what_it_moves():
    def sound(y):
        return y.astype(jnp.float32).mean(), Aux()

    with pytest.raises(
        UserError, match=r"net: its parameter .*'bias'.* is bfloat16\[2\].* float32 at every --precision"
    ):
        traced(sound, kind=jnp.bfloat16)
    with pytest.raises(
        UserError, match=r"a step of net: its parameters.*bfloat16\[2\], and before it was float32\[2\]"
    ):
        traced(sound, project=lambda params, hyper: jax.tree.map(lambda p: p.astype(jnp.bfloat16), params))
    shape = (jax.ShapeDtypeStruct((2, 3), jnp.float32),)
    plain = Player(Net(jnp.bfloat16), shape, lambda hyper: optax.sgd(0.1))  # which keeps what it is given
    phase = Phase(("net",), lambda p, c: sound(plain.module.apply({"params": p["net"]}, c.batch["x"], train=True)))
    algorithm = compose({"net": plain}, [phase], {})
    jax.eval_shape(lambda: algorithm.update(algorithm.init(jax.random.key(0)), ROUND))
