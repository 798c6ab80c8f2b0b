"""Streams: a phase that draws from a split of its own, resident and streamed, straight and resumed: the same bits."""

import dataclasses
import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from gen_jax.core import parallel
from gen_jax.core.compose import compose
from gen_jax.core.errors import UserError
from gen_jax.core.phases import Phase
from gen_jax.core.players import Player, caller, sgd
from gen_jax.core.types import Aux
from gen_jax.data.labelled import UNKNOWN, few_labels
from gen_jax.data.source import Source, Split, from_arrays
from gen_jax.runs import feeding
from gen_jax.runs.config import Config

CLASSES, ROUNDS, SETTINGS = 3, 7, {"batch_size": 6, "steps": 7, "steps_per_call": 3, "seed": 5}


class Classifier(nn.Module):
    @nn.compact
    def __call__(self, x, *, train):
        return nn.Dense(CLASSES)(x.reshape(x.shape[0], -1))


def semi_supervised():
    """Ten lines: entropy of unlabelled examples, cross-entropy of labelled ones, two steps on a stream of their own."""
    players = {"classifier": Player(Classifier(), (jax.ShapeDtypeStruct((2, 4, 4, 1), jnp.float32),), sgd("lr"))}
    call = caller(players)

    def unsure(params, context):
        logits, _ = call("classifier", params, context.stats, context.batch["x"], train=True)
        value = -(nn.softmax(logits) * nn.log_softmax(logits)).sum(axis=-1).mean()
        return value, Aux(metrics={"unknown": (context.batch["label"] == UNKNOWN).mean()})

    def wrong(params, context):
        logits, _ = call("classifier", params, context.stats, context.batch["x"], train=True)
        chosen = jnp.take_along_axis(nn.log_softmax(logits), context.batch["label"][:, None], axis=-1)
        return -chosen.mean(), Aux(metrics={"known": (context.batch["label"] >= 0).mean()})

    phases = Phase(("classifier",), unsure), Phase(("classifier",), wrong, repeats=2, draws="labelled")
    return compose(players, phases, {"lr": 0.1})


def data() -> Source:
    generator = np.random.default_rng(0)
    arrays = {
        "x": generator.integers(0, 256, (40, 4, 4, 1)).astype(np.uint8),
        "label": np.arange(40, dtype=np.int32) % CLASSES,
    }
    return few_labels(from_arrays("toy", arrays, arrays, CLASSES), per_class=2, seed=1)


def on_disk(source: Source) -> Source:
    """The same data as if they had to be read: too large to be resident."""

    def lazy(split: Split) -> Split:
        return dataclasses.replace(split, arrays=None, nbytes=2**40)

    others = {name: lazy(split) for name, split in source.others.items()}
    return dataclasses.replace(source, train=lazy(source.train), others=others)


def train(source: Source, calls: tuple[int, ...] = (3, 3, 1), state=None, devices: int = 1):
    """(state, metrics) after calls of so many rounds, from `state` on."""
    algorithm, config = semi_supervised(), Config(**SETTINGS)
    where = parallel.layout("jit" if devices == 1 else "shard_map", devices)
    state = jax.jit(algorithm.init)(jax.random.key(0)) if state is None else state
    step = int(state.step)
    feeding.check(source, config.batch_size, algorithm.minibatches, devices)
    fed = feeding.make(source, config, algorithm.minibatches, where, step)
    run = parallel.many_steps(algorithm.update, fed.fetch, where, config.steps_per_call, fed.streamed)
    assert fed.streamed == (source.train.arrays is None)
    metrics = {}
    state = parallel.place(jax.tree.map(jnp.copy, state), where)
    for count in calls:
        state, metrics = run(state, fed.data(step, count), parallel.place_count(count, where))
        step += count
    return jax.device_get((state.params, state.step)), metrics, state


def assert_same_bits(got, wanted):
    for leaf, other in zip(jax.tree.leaves(got), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_array_equal(leaf, other)


@pytest.fixture(scope="module")
def resident():
    return train(data())


def test_a_stream_holds_the_labels_and_train_tells_none(resident):
    _, metrics, _ = resident
    assert semi_supervised().minibatches == {"train": 1, "labelled": 2}
    assert float(metrics["unknown"][0]) == float(metrics["known"][0]) == 1.0


def test_streamed_is_resident_to_the_bit(resident):
    assert_same_bits(train(on_disk(data()))[0], resident[0])


@pytest.mark.parametrize("place", [lambda source: source, on_disk], ids=["resident", "streamed"])
def test_resuming_between_rounds_changes_nothing(resident, place):
    _, _, part = train(place(data()), (2,))
    assert_same_bits(train(place(data()), (1, 3, 1), part)[0], resident[0])


@pytest.mark.skipif("xla_force_host" not in os.environ.get("XLA_FLAGS", ""), reason="needs four devices")
def test_two_devices_share_every_streams_rows(resident):
    for leaf, other in zip(jax.tree.leaves(train(data(), devices=2)[0]), jax.tree.leaves(resident[0]), strict=True):
        np.testing.assert_allclose(leaf, other, rtol=1e-5, atol=1e-6)


def test_data_without_the_stream_are_refused():
    plain = dataclasses.replace(data(), others={})
    with pytest.raises(UserError, match="toy has no examples called 'labelled'; it has train, test"):
        train(plain)


def test_a_phase_sees_minibatches_of_further_streams_beside_its_own():
    """One step on both: the labelled rows that a phase sees beside are those that a phase of the stream would draw."""
    players = {"classifier": Player(Classifier(), (jax.ShapeDtypeStruct((2, 4, 4, 1), jnp.float32),), sgd("lr"))}

    def look(params, context):
        known = context.beside["labelled"]
        metrics = {
            "unknown": (context.batch["label"] == UNKNOWN).mean(),
            "first": known["label"][0].astype(jnp.float32),
            "sum": known["x"].sum(),
        }
        return 0.0 * sum(leaf.sum() for leaf in jax.tree.leaves(params)), Aux(metrics=metrics)

    def drawn(params, context):
        metrics = {"drawn first": context.batch["label"][0].astype(jnp.float32), "drawn sum": context.batch["x"].sum()}
        return 0.0 * sum(leaf.sum() for leaf in jax.tree.leaves(params)), Aux(metrics=metrics)

    for repeats in (1, 2):
        phases = [Phase(("classifier",), look, beside=("labelled",), repeats=repeats)]
        phases += [Phase(("classifier",), drawn, draws="labelled", repeats=repeats)]
        algorithm = compose(players, phases, {"lr": 0.1})
        assert algorithm.minibatches == {"train": repeats, "labelled": repeats}
        shapes = feeding.make(data(), Config(**SETTINGS), algorithm.minibatches, parallel.layout("jit", 1), 0)
        batches = shapes.fetch(shapes.data(0, 1), jnp.uint32(0), 0)
        _, metrics = algorithm.update(algorithm.init(jax.random.key(0)), batches)
        assert float(metrics["unknown"]) == 1.0
        assert float(metrics["first"]) == float(metrics["drawn first"])
        assert float(metrics["sum"]) == pytest.approx(float(metrics["drawn sum"]), rel=1e-6)
