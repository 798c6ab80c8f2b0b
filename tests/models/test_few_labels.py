"""Models that learn from few labels: which labels they read, what their bounds are, and what they refuse."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from contract_rows import descent
from contract_rows_labels import READ_LABELS, ROWS, SHAPE
from jax.interpreters import partial_eval

from gen_jax.core.errors import UserError
from gen_jax.core.players import adam
from gen_jax.core.types import Weights
from gen_jax.data.labelled import STREAM, classes_of, few_labels
from gen_jax.data.source import from_arrays
from gen_jax.models import few_labels as shared
from gen_jax.models import m2
from gen_jax.models.clustergan import clustergan
from gen_jax.models.vade import vade
from gen_jax.nets import by_class, classify, mlp
from gen_jax.objectives import divergences, likelihoods


@pytest.mark.parametrize("name", [name for name, _ in ROWS])
def test_a_step_depends_on_labels_of_the_labelled_stream_alone(name):
    """By its program: a label of train enters no loss, statistic, metric or parameter."""
    algorithm = dict(ROWS)[name](descent)
    state = jax.eval_shape(algorithm.init, jax.random.key(0))
    one = {"x": jax.ShapeDtypeStruct((1, 4, *SHAPE), jnp.float32), "label": jax.ShapeDtypeStruct((1, 4), jnp.int32)}
    repeated = {stream: (count, *one["label"].shape[1:]) for stream, count in algorithm.minibatches.items()}
    batches = {
        stream: {name: jax.ShapeDtypeStruct((shape[0], *leaf.shape[1:]), leaf.dtype) for name, leaf in one.items()}
        for stream, shape in repeated.items()
    }
    closed = jax.make_jaxpr(algorithm.update)(state, batches)
    _, used = partial_eval.dce_jaxpr(closed.jaxpr, [True] * len(closed.jaxpr.outvars))
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree.leaves_with_path((state, batches))]
    reads = {path.split("]")[1].strip("['") for path, use in zip(paths, used, strict=True) if use and "'label'" in path}
    assert reads == ({STREAM} if name in READ_LABELS else set())


@pytest.mark.parametrize("skipped", [0, 1])
def test_m2_begins_when_m1_is_done_and_m1_rests_from_then_on(skipped):
    """Parameters and moments of whoever rests stay to the bit; M2's first step is a first step of Adam. Rounds that are
    skipped, as not finite, are none of M1's."""
    algorithm = dict(ROWS)["m1_then_m2"](adam)
    own = {"encoder", "decoder"}
    key = jax.random.key(3)
    x = jax.random.uniform(key, (1, 4, *SHAPE), minval=-1.0)
    batch = {"x": x, "label": jnp.arange(4, dtype=jnp.int32)[None]}
    update = jax.jit(algorithm.update)
    states, told = [algorithm.init(key)], []
    for number in range(4 + skipped):
        hyper = states[-1].hyper | ({"beta": jnp.float32(jnp.nan)} if number < skipped else {})
        before = states[-1].replace(hyper=hyper)
        after, metrics = update(before, dict.fromkeys(algorithm.minibatches, batch))
        states.append(after.replace(hyper=states[-1].hyper))
        told.append(metrics)
    assert int(states[-1].aux["nonfinite"]["total"]) == skipped
    states, told = states[skipped:], told[skipped:]

    def of(state, second):
        return [
            (state.params[n], jax.tree.leaves(state.opt[n])[1:])
            for n in sorted(state.params)
            if (n not in own) == second
        ]

    def same(before, after, second):
        leaves = zip(*(jax.tree.leaves(of(state, second)) for state in (before, after)), strict=True)
        return [bool((a == b).all()) for a, b in leaves]

    begin = 2 - skipped  # M2's own steps were none that was skipped: it is due in the round in which M1 has its last
    assert all(same(states[0], states[begin], True))
    assert not any(same(states[1], states[2], False))
    assert [float(metrics["gradient_norm/encoder"]) > 0 for metrics in told] == [True, True, False, False]
    assert all(same(states[2], states[4], False))
    moved = jax.tree.leaves(
        jax.tree.map(lambda a, b: abs(b - a).max(), *(s.params["m2_decoder"] for s in states[begin : begin + 2]))
    )
    np.testing.assert_allclose(max(moved), 1e-3, rtol=1e-3)  # the rate; 3.2 times it where Adam had counted the rounds
    assert all(float(metrics[name]) < 0 for metrics in told for name in ("elbo", "m2/bound"))  # told at rest, too


def model(classes=3, **options):
    hyper = {"lr": 1e-2, "b1": 0.9, "b2": 0.999, "alpha": 1.0, "labelled": 1.0}
    return m2.parts(
        classify.Classifier(classes, (4,)),
        by_class.Encoder(2, classes, (4,)),
        mlp.Decoder((2, 2, 1), widths=(4,), classes=classes),
        **{"likelihood": likelihoods.bernoulli(), "shape": (2, 2, 1), "classes": classes, "hyper": hyper,
           "optimizer": adam("lr"), **options},
    )  # fmt: skip


def made(which):
    from gen_jax.core import players

    found = {name: players.init(p, jax.random.key(i)) for i, (name, p) in enumerate(which.players.items())}
    return Weights({name: each[0] for name, each in found.items()}, {name: each[1] for name, each in found.items()})


def test_m2s_bound_is_the_sum_over_classes_and_lies_below_log_p():
    """Against each class alone, and against log p(x) by brute force over classes and a grid of z."""
    which, key = model(), jax.random.key(7)
    weights, x = made(which), jnp.where(jax.random.bernoulli(key, 0.5, (5, 2, 2, 1)), 1.0, -1.0)
    terms, _ = which.unlabelled(weights, x, key, train=False)
    q = jax.nn.softmax(terms.logits)
    by_hand = jnp.zeros(5)
    for label in range(3):
        log_prob, kl, _ = which.of_class(weights, x, jnp.full(5, label, jnp.int32), key, train=False)
        by_hand += q[:, label] * (log_prob - kl - jnp.log(3.0) - jnp.log(q[:, label]))
    np.testing.assert_allclose(terms.bound, by_hand, rtol=1e-5)
    line = jnp.linspace(-5, 5, 81)
    grid = jnp.stack(jnp.meshgrid(line, line), -1).reshape(-1, 2)
    log_z = divergences.normal_log_prob(grid).sum(-1) + 2 * jnp.log(line[1] - line[0])
    log_p = []
    for label in range(3):
        decoder = which.players["decoder"].module
        told = jnp.full(len(grid), label, jnp.int32)
        outputs = jnp.asarray(decoder.apply({"params": weights.params["decoder"]}, grid, told, train=False))
        each = jax.vmap(lambda x, o=outputs: likelihoods.bernoulli().log_prob(o, jnp.tile(x, (len(grid), 1, 1, 1))))(x)
        log_p.append(jax.nn.logsumexp(each.reshape(5, len(grid), -1).sum(-1) + log_z, axis=1) - jnp.log(3.0))
    exact = jax.nn.logsumexp(jnp.stack(log_p), axis=0)
    bounds = jax.jit(jax.vmap(lambda key: which.unlabelled(weights, x, key, train=False)[0].bound))
    draws = np.asarray(bounds(jax.random.split(key, 200)))
    mean, error = draws.mean(axis=0), draws.std(axis=0) / np.sqrt(200)
    assert (mean <= exact + 4 * error).all()
    assert (mean > exact - 20).all()


def test_an_encoder_of_several_classes_is_that_of_each():
    network, key = by_class.Encoder(2, 3, (4, 4)), jax.random.key(0)
    x, every = jax.random.normal(key, (5, 2, 2, 1)), jnp.tile(jnp.arange(3, dtype=jnp.int32), 5)
    params = jax.jit(lambda: network.init(key, x, every, train=False))()
    encode = jax.jit(lambda x, label: network.apply(params, x, label, train=False)[0])
    together = encode(x, every)
    for label in range(3):
        alone = encode(x, jnp.full(5, label, jnp.int32))
        np.testing.assert_allclose(together[label::3], alone, atol=1e-6)


def test_cross_entropy_and_share_of_right_ones():
    logits, label = jnp.log(jnp.array([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]])), jnp.array([0, 2])
    np.testing.assert_allclose(shared.cross_entropy(logits, label), -np.log([0.5, 0.1]), rtol=1e-5)
    assert float(shared.right(logits, label)) == 0.5


def data(labels=True):
    arrays = {"x": np.zeros((12, 2, 2, 1), np.uint8), "label": np.arange(12, dtype=np.int32) % 3}
    arrays = arrays if labels else {"x": arrays["x"]}
    return from_arrays("toy", arrays, arrays, 3 if labels else None)


def _vade(**options):
    networks = mlp.Encoder(options.pop("latent_size", 2), widths=(4,)), mlp.Decoder((2, 2, 1), widths=(4,))
    chosen = {"components": 3, "pretrain": 1, "memory": 8, "hyper": {"lr": 1.0, "b1": 0.9, "b2": 0.9, "beta": 1.0}}
    return vade(*networks, likelihood=likelihoods.bernoulli(), shape=(2, 2, 1), **chosen | options)


def _clustergan(clusters, noise):
    networks = (mlp.Generator((2, 2, 1)), mlp.Discriminator(), classify.Classifier(2))
    return clustergan(*networks, shape=(2, 2, 1), noise=noise, clusters=clusters, hyper={})


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: classes_of(data(labels=False), "m2"), "toy has no labels; use labelled data"),
        (lambda: classes_of(data(), "m2"), "say how many of each class: --labels-per-class 10"),
        (lambda: few_labels(data(), 5, 0), "has 4 train examples of class 0, fewer than the 5"),
        (partial(model, 1), "these data have 1; use data with 2 or more"),
        (lambda: model(hyper={"lr": 1.0, "labelled": 1.0}), "hyper alpha"),
        (lambda: _vade(components=9), "9 clusters of 8 codes: ask for 8 or fewer, or for more rounds or memory"),
        (lambda: _vade(latent_size=0), "latent size of 0"),
        (lambda: _vade(hyper={"lr": 1.0}), "hyper beta"),
        (lambda: _clustergan(1, 4), "2 clusters or more"),
        (lambda: _clustergan(3, 0), "noise beside"),
    ],
)
def test_what_cannot_be_built_is_one_line_that_says_what_could(call, match):
    with pytest.raises(UserError, match=match) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_classes_of_few_labels():
    assert classes_of(few_labels(data(), 2, 0), "m2") == 3
    assert classes_of(dataclasses.replace(data(), others={STREAM: data().train}), "m2") == 3
