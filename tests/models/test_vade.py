"""VaDE's three parts: what the mixture is fitted to, when, and what learns from then on."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gen_jax.core.errors import UserError
from gen_jax.core.players import adam
from gen_jax.data import load
from gen_jax.models.vade import vade
from gen_jax.nets import mlp
from gen_jax.objectives import likelihoods
from gen_jax.runs import scripts
from gen_jax.studies import papers

BATCH, PRETRAIN, MEMORY = 16, 3, 64
PICTURES = np.random.default_rng(0).uniform(-1, 1, (8, 1, BATCH, 4, 4, 1)).astype(np.float32)


def begun(**options):
    hyper = {"lr": 1e-3, "b1": 0.9, "b2": 0.999, "beta": 1.0}
    algorithm = vade(
        mlp.Encoder(2, widths=(8,)), mlp.Decoder((4, 4, 1), widths=(8,)), likelihood=likelihoods.bernoulli(),
        shape=(4, 4, 1), components=2, optimizer=adam("lr"),
        **{"pretrain": PRETRAIN, "memory": MEMORY, "hyper": hyper} | options,
    )  # fmt: skip
    return jax.jit(algorithm.init)(jax.random.key(0)), jax.jit(algorithm.update)


def prior(state):
    return jax.tree.map(np.asarray, state.stats["prior"])


def test_a_memory_that_is_not_full_lends_no_zeros_to_the_fit():
    """Images far from a grey one have codes far from 0: no component may lie there."""
    state, update = begun()
    bias = state.params["encoder"]["Dense_0"]["bias"].at[:2].add(50.0)
    encoder = {**state.params["encoder"], "Dense_0": {**state.params["encoder"]["Dense_0"], "bias": bias}}
    state = state.replace(params={**state.params, "encoder": encoder})
    for picture in PICTURES[:PRETRAIN]:
        state, _ = update(state, {"train": {"x": picture}})
    assert prior(state)["codes"]["seen"] == PRETRAIN * BATCH < MEMORY
    assert prior(state)["fitted"]["done"] == 1
    assert np.abs(prior(state)["fitted"]["mean"]).min() > 40


def test_a_round_that_is_not_finite_delays_the_fit_and_the_bound():
    state, update = begun()
    start = prior(state)["fitted"]["mean"]
    for step, picture in enumerate(PICTURES):
        x = picture.copy()
        x[0, 0, 0, 0] = np.nan if step == PRETRAIN - 1 else x[0, 0, 0, 0]
        before = state.params["prior"]
        state, metrics = update(state, {"train": {"x": x}})
        fitted = step > PRETRAIN - 1
        assert prior(state)["fitted"]["done"] == fitted
        assert np.array_equal(prior(state)["fitted"]["mean"], start) != fitted
        moved = any(not np.array_equal(a, b) for a, b in zip(*map(jax.tree.leaves, (before, state.params["prior"])),
                                                              strict=True))  # fmt: skip
        assert moved == (step > PRETRAIN)  # by the bound, which begins a round after the fit
    assert float(metrics["nonfinite/total"]) == 1


def test_images_are_changed_for_the_autoencoder_alone():
    """Augmented to black, the autoencoder's reconstructions cost what black does; the bound's are of the images."""
    state, update = begun(augment=lambda x, key: jnp.full_like(x, -1.0))
    costs = []
    for picture in PICTURES[:PRETRAIN + 1]:  # fmt: skip
        reference, plain = begun()
        _, metrics = update(state, {"train": {"x": picture}})
        same = reference.replace(params=state.params, stats=state.stats, step=state.step)
        _, bare = plain(same, {"train": {"x": picture}})
        costs.append(float(metrics["reconstruction"] - bare["reconstruction"]))
        state, _ = update(state, {"train": {"x": picture}})
    assert np.abs(costs[:PRETRAIN]).min() > 0
    assert costs[PRETRAIN] == 0


def test_without_an_autoencoder_the_bound_is_there_from_the_first_round():
    state, update = begun(pretrain=0)
    state, _ = update(state, {"train": {"x": PICTURES[0]}})
    assert all(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(state.params["prior"]))
    assert prior(state)["fitted"]["done"] == 0


def test_a_rate_of_the_autoencoder_is_refused_where_there_is_none():
    script = scripts.load_live(papers.experiments() / "vade.py")
    config = script.Config(data="ring8", width=4, clusters=2, pretrain=0, steps=5, hyper=script.Hyper(lr=0.1))
    with pytest.raises(UserError, match=r"--hyper\.lr is of the autoencoder"):
        script.build(config, load.of(config))


def test_the_script_learns_the_bound_at_its_own_rate_and_points_by_a_gaussian():
    script = scripts.load_live(papers.experiments() / "vade.py")
    config = script.Config(data="ring8", width=4, clusters=2, pretrain=2, steps=5, batch_size=BATCH,
                           hyper=script.Hyper(lr_bound=0.0))  # fmt: skip
    algorithm = script.build(config, load.of(config))
    state, update = jax.jit(algorithm.init)(jax.random.key(0)), jax.jit(algorithm.update)
    assert len(prior(state)["codes"]["latest"]) == 2 * BATCH  # as many as there are before the fit
    for step in range(4):
        before = state.params
        x = np.random.default_rng(step).normal(size=(1, BATCH, 2)).astype(np.float32)
        state, metrics = update(state, {"train": {"x": x}})
        same = all(np.array_equal(a, b) for a, b in zip(*map(jax.tree.leaves, (before, state.params)), strict=True))
        assert same == (step >= 2)
    assert np.isfinite(float(metrics["elbo"]))
