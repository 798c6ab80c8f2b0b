"""Hierarchies, codes, second stages and hybrids against what must hold of them: orders, identities, exact densities."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from programs import compiled
from scipy import stats

from gen_jax.core.errors import UserError
from gen_jax.core.players import adam
from gen_jax.core.types import LABEL, weights
from gen_jax.models import vae_regularizers as regularizers
from gen_jax.models.aae import aae
from gen_jax.models.autoencoder import autoencoder
from gen_jax.models.bigan import bigan
from gen_jax.models.factor_vae import factor_vae
from gen_jax.models.ladder_vae import ladder_vae
from gen_jax.models.refined_vae import refined_vae
from gen_jax.models.two_stage_vae import two_stage_vae
from gen_jax.models.vae import vae
from gen_jax.models.vae_body import vae_body
from gen_jax.models.vae_gan import vae_gan
from gen_jax.models.vq_vae import vq_vae
from gen_jax.nets import joint, ladder, mlp, vq
from gen_jax.objectives import disentangle, divergences, likelihoods, priors
from gen_jax.objectives.bounds import Bound, Estimate
from gen_jax.objectives.disentangle import Dip
from gen_jax.objectives.rate import FreeBits, Rate

SHAPE = (8, 8, 1)
BETAS = {"b1": 0.9, "b2": 0.999}
ADAM = {"lr": 1e-3, **BETAS}
HYPER = {**ADAM, "beta": 1.0}
IMAGES = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (6, *SHAPE)), jnp.float32)
BATCH = {"x": IMAGES}
GAUSS = {"likelihood": likelihoods.gaussian(0.5), "shape": SHAPE, "hyper": HYPER}


def networks(size=3):
    return mlp.Encoder(size, widths=(8,)), mlp.Decoder(SHAPE, widths=(8,))


def start(algorithm, seed=0):
    """A state whose every parameter is random: layers that start at zero would hide what they do."""

    @jax.jit
    def begin(first, second):
        state = algorithm.init(first)
        leaves, tree = jax.tree.flatten(state.params)
        keys = jax.random.split(second, len(leaves))
        leaves = [leaf + 0.1 * jax.random.normal(key, leaf.shape) for leaf, key in zip(leaves, keys, strict=True)]
        return state.replace(params=jax.tree.unflatten(tree, leaves))

    return begin(jax.random.key(seed), jax.random.key(seed + 1))


def hierarchy():
    stages = (2, 1), (4, 1), (8, 0)
    decoder = ladder.Decoder(stages, 1, width=4, hidden=4, latents=2)
    encoder = ladder.Encoder(stages, width=4, hidden=4)
    algorithm = compiled(ladder_vae(encoder, decoder, latent_shapes=decoder.latent_shapes, **GAUSS))
    return algorithm, weights(start(algorithm)), encoder, decoder


@pytest.mark.science
def test_a_ladders_code_decodes_to_what_its_posterior_means_do():
    algorithm, view, encoder, decoder = hierarchy()
    assert decoder.latent_shapes == ((2, 2, 2), (4, 4, 2))

    @jax.jit
    def through(params):
        activations = encoder.apply({"params": params["encoder"]}, IMAGES, train=False)
        zero = tuple(jnp.zeros((6, *shape)) for shape in decoder.latent_shapes)
        return decoder.apply({"params": params["decoder"]}, activations, zero, train=False)

    outputs, levels = through(dict(view.params))
    codes = algorithm.encode(view, BATCH)["mean"]
    assert codes.shape == (6, 8 + 32)
    assert float(jnp.abs(codes).max()) > 0.01
    np.testing.assert_allclose(algorithm.decode(view, codes), outputs, atol=1e-5)
    # Noise (z - p_mean) / p_std, by hand at the top level.
    top = (levels[0]["q_mean"] - levels[0]["p_mean"]) * jnp.exp(-0.5 * levels[0]["p_log_variance"])
    np.testing.assert_allclose(codes[:, :8], top.reshape(6, -1), atol=1e-5)


@pytest.mark.science
def test_a_ladders_bound_tightens_from_its_elbo():
    algorithm, view, _, _ = hierarchy()
    key = jax.random.split(jax.random.key(3), 200)
    elbo = jax.jit(jax.vmap(lambda k: algorithm.evaluate(view, BATCH, k)["elbo"]))(key)
    one = jax.jit(jax.vmap(lambda k: algorithm.likelihood(view, BATCH, k, 1)["value"]))(key)
    many = jax.jit(lambda k: algorithm.likelihood(view, BATCH, k, 400)["value"])(key[0])
    spread = np.asarray(one).std(axis=0) / np.sqrt(200) + np.asarray(elbo).std(axis=0) / np.sqrt(200)
    # One sample's log-weight has the ELBO's mean, though its KL is sampled where the ELBO's is analytic.
    assert np.all(np.abs(np.asarray(one).mean(axis=0) - np.asarray(elbo).mean(axis=0)) < 5 * spread + 1e-3)
    assert np.all(np.asarray(many) > np.asarray(elbo).mean(axis=0))


def test_a_ladder_names_the_resolutions_that_would_work():
    encoder = ladder.Encoder(((3, 1), (8, 1)), width=4, hidden=4)
    with pytest.raises(UserError, match="divide the next"):
        encoder.init(jax.random.key(0), IMAGES, train=False)


def codes_model():
    algorithm = vq_vae(
        vq.Encoder(2, width=4, blocks=1), vq.Decoder(1, width=4, blocks=1), vq.CodePrior(5, width=4, layers=2),
        codes=5, likelihood=likelihoods.gaussian(0.5), shape=SHAPE,
        hyper={**ADAM, "lr_prior": 1e-2, "commitment": 0.25, "codebook_decay": 0.9, "revive": 1.0},
    )  # fmt: skip
    algorithm = compiled(algorithm)
    return algorithm, start(algorithm)


def test_each_code_is_predicted_from_those_before_it_alone():
    network = vq.CodePrior(5, width=4, layers=2)
    numbers = jnp.asarray(np.random.default_rng(1).integers(0, 5, (1, 3, 3)), jnp.int32)
    params = jax.jit(lambda: network.init(jax.random.key(0), numbers, train=False))()
    predict = jax.jit(lambda numbers: network.apply(params, numbers, train=False).reshape(9, 5))
    before = predict(numbers)
    for position in range(9):
        changed = numbers.reshape(-1).at[position].add(1).reshape(1, 3, 3) % 5
        after = predict(changed)
        np.testing.assert_array_equal(after[: position + 1], before[: position + 1])
        assert position == 8 or bool(jnp.any(after[position + 1 :] != before[position + 1 :]))


def test_a_prior_of_codes_samples_what_it_scores():
    """With two positions to go by hand: the frequency of drawn grids is exp(log p), summed over all 5^4 grids."""
    algorithm, state = codes_model()
    view = weights(state)
    drawn = algorithm.prior(view, jax.random.key(5), 4000).reshape(4000, 4, 2)
    book = view.stats["codebook"]["codebook"]["book"]["embedding"]
    numbers = np.asarray(((drawn[:, :, None] - book) ** 2).sum(axis=-1).argmin(axis=-1))  # [4000, 4]
    network = vq.CodePrior(5, width=4, layers=2)
    grids = np.stack(np.meshgrid(*[np.arange(5)] * 4, indexing="ij"), axis=-1).reshape(-1, 4)
    predict = jax.jit(lambda params, numbers: network.apply({"params": params}, numbers, train=False))
    logits = predict(view.params["prior"], jnp.asarray(grids.reshape(-1, 2, 2)))
    log_p = np.asarray(jax.nn.log_softmax(logits.reshape(-1, 4, 5)), np.float64)
    log_p = np.take_along_axis(log_p, grids[..., None], axis=-1).sum(axis=(1, 2))
    assert np.exp(log_p).sum() == pytest.approx(1.0, abs=1e-4)
    for position in range(4):
        expected = [np.exp(log_p)[grids[:, position] == code].sum() for code in range(5)]
        observed = np.bincount(numbers[:, position], minlength=5)
        assert stats.chisquare(observed, 4000 * np.array(expected) / np.sum(expected)).pvalue > 1e-4


class Told(nn.Module):
    """What the network says, moved by its label."""

    network: nn.Module

    @nn.compact
    def __call__(self, x, label, *, train):
        found = self.network(x, train=train)
        table = self.param("table", nn.initializers.normal(1.0), (10, found.shape[-1]))
        return found + table[label].reshape(-1, *[1] * (found.ndim - 2), found.shape[-1])


def test_codes_may_be_conditional():
    """Encoder, decoder and the prior of codes are told the label: each says something else for another."""
    algorithm = vq_vae(
        Told(vq.Encoder(2, width=2, stages=1, blocks=0)), Told(vq.Decoder(1, width=2, stages=1, blocks=0)),
        Told(vq.CodePrior(5, width=2, layers=0)), codes=5, likelihood=likelihoods.gaussian(0.5), shape=SHAPE,
        given=LABEL, hyper={**ADAM, "lr_prior": 1e-2, "commitment": 0.25, "codebook_decay": 0.9, "revive": 1.0},
    )  # fmt: skip
    algorithm = compiled(algorithm)
    state = start(algorithm)
    now, batch = weights(state), {**BATCH, "label": jnp.arange(6)}
    other, key = {**batch, "label": batch["label"] + 1}, jax.random.key(0)
    assert algorithm.given == algorithm.samplers["prior"].given == ("label",)
    after, _ = jax.eval_shape(algorithm.update, state, {"train": jax.tree.map(lambda leaf: leaf[None], batch)})
    assert jax.tree.structure(after) == jax.tree.structure(state)
    codes = algorithm.encode(now, batch)["mean"]
    assert not np.allclose(codes, algorithm.encode(now, other)["mean"])
    assert not np.allclose(algorithm.decode(now, codes, batch), algorithm.decode(now, codes, other))
    assert not np.array_equal(algorithm.prior(now, key, 6, batch), algorithm.prior(now, key, 6, other))
    with pytest.raises(UserError, match="give label"):
        algorithm.decode(now, codes)


def test_codes_move_as_averages_and_only_codes_are_decoded():
    algorithm, state = codes_model()
    moved, _ = jax.jit(algorithm.update)(state, {"train": {"x": IMAGES[None]}})
    books = [s.stats["codebook"]["codebook"]["book"]["embedding"] for s in (state, moved)]
    assert float(jnp.abs(books[0] - books[1]).max()) > 0
    view = weights(state)
    noisy = algorithm.prior(view, jax.random.key(1), 3)
    np.testing.assert_array_equal(algorithm.decode(view, noisy), algorithm.decode(view, noisy + 1e-6))


def test_a_density_of_codes_leaves_the_autoencoder_alone():
    common = {"regularizers": (regularizers.latent_l2(),), "latent_size": 3, **GAUSS}
    common["hyper"] = {**ADAM, "latent_l2": 0.1}
    plain = autoencoder(*networks(), **common)
    common["hyper"] = {**common["hyper"], "lr_density": 0.1}
    fitted = autoencoder(*networks(), density=priors.gaussian_mixture(3, 2), **common)
    ends = []
    for algorithm in (plain, fitted):
        algorithm = compiled(algorithm)
        state, update = algorithm.init(jax.random.key(0)), algorithm.update
        for _ in range(3):
            state, metrics = update(state, {"train": {"x": IMAGES[None]}})
        ends.append((state, metrics))
    for name in ("encoder", "decoder"):
        jax.tree.map(np.testing.assert_array_equal, ends[0][0].params[name], ends[1][0].params[name])
    assert "log_density" in ends[1][1]


def test_regularizers_are_the_objectives_of_the_codes():
    """β-TCVAE at beta = 0 and DIP-VAE: the metrics equal the pure functions at the encoder's own outputs."""
    terms = (*regularizers.total_correlation(64), regularizers.dip(Dip.I, diagonal=10.0))
    hyper = {**ADAM, "total_correlation": 2.0, "beta": 0.0, "mutual_information": 1.0, "dimension_kl": 1.0, "dip": 1.0}
    algorithm = compiled(vae(vae_body(*networks(), **{**GAUSS, "hyper": hyper}), regularizers=terms))
    state = start(algorithm)
    _, metrics = algorithm.update(state, {"train": {"x": IMAGES[None]}})
    codes = algorithm.encode(weights(state), BATCH)
    wanted = disentangle.dip_vae(codes["mean"], codes["log_variance"], 1.0, 10.0, Dip.I)
    np.testing.assert_allclose(metrics["regularizer/dip"], wanted, rtol=1e-4)
    # The parts add up to the sampled KL, which is near its analytic value only on average: check the sum's scale.
    names = ("mutual_information", "total_correlation", "dimension_kl")
    parts = sum(float(metrics[f"regularizer/{name}"]) for name in names)
    analytic = divergences.kl_standard_normal(codes["mean"], codes["log_variance"]).sum(axis=-1).mean()
    np.testing.assert_allclose(metrics["kl"], analytic, rtol=1e-4)
    assert abs(parts - float(analytic)) < 3.0


def two_stages():
    first = vae_body(*networks(2), **{**GAUSS, "hyper": {**HYPER, "beta": 0.01, "lr_second": 1e-2}})
    second = vae_body(
        mlp.Encoder(2, widths=(16,)), mlp.Decoder((2,), outputs=4, widths=(16,)), shape=(2,), hyper=first.hyper,
        likelihood=likelihoods.gaussian_learned(), optimizer=adam("lr_second"),
    )  # fmt: skip
    return compiled(two_stage_vae(first, second))


def test_the_likelihood_of_two_stages_is_of_what_they_sample():
    """With a second stage whose every parameter is random, against the mean of p(x|z) over draws of `prior`."""
    algorithm = two_stages()
    view = weights(start(algorithm))
    bound = algorithm.likelihood(view, BATCH, jax.random.key(4), 20_000)
    z = algorithm.prior(view, jax.random.key(5), 20_000)
    means = algorithm.decode(view, z).reshape(20_000, -1)
    of_one = lambda m: likelihoods.gaussian(0.5).log_prob(m[None], IMAGES.reshape(6, -1)).sum(axis=-1)  # noqa: E731
    log_p = jax.jit(jax.vmap(of_one))(means)
    wanted = jax.nn.logsumexp(log_p, axis=0) - np.log(20_000)
    np.testing.assert_allclose(bound["value"], wanted, atol=0.15)


def test_the_second_stage_samples_the_codes_of_the_first():
    """After training on data with one tight cluster of codes, prior draws look like codes, not like N(0, I)."""
    algorithm = two_stages()
    state, batch = algorithm.init(jax.random.key(0)), {"train": {"x": jnp.tile(IMAGES, (11, 1, 1, 1))[None]}}
    train = jax.jit(lambda s: jax.lax.scan(lambda s, _: (algorithm.update(s, batch)[0], None), s, length=400)[0])
    view = weights(train(state))
    codes = np.asarray(algorithm.encode(view, {"x": IMAGES})["mean"])
    draws = np.asarray(algorithm.prior(view, jax.random.key(1), 500))
    np.testing.assert_allclose(draws.mean(axis=0), codes.mean(axis=0), atol=0.35)
    np.testing.assert_allclose(draws.std(axis=0), codes.std(axis=0), rtol=0.4)


def moves(algorithm):
    """The players that a round moved, and its metrics."""
    state = start(algorithm)
    batch = {"train": {"x": jnp.tile(IMAGES[None], (algorithm.minibatches["train"], 1, 1, 1, 1))}}
    moved, metrics = jax.jit(algorithm.update)(state, batch)
    same = jax.tree.map(np.array_equal, dict(state.params), dict(moved.params))
    changed = {name for name, leaves in same.items() if not all(jax.tree.leaves(leaves))}
    return changed, metrics, algorithm


@pytest.mark.science
def test_hybrids_move_every_player_and_take_their_minibatches():
    critic, critics = mlp.Discriminator(widths=(8,)), {"b1_discriminator": 0.5, "b2_discriminator": 0.9}

    def body(**hyper):
        return vae_body(*networks(), **{**GAUSS, "hyper": {**ADAM, "lr_discriminator": 1e-3, **hyper}})

    hybrids = {
        "factor_vae": (factor_vae(body(beta=1.0, total_correlation=2.0, **critics), critic), 2),
        "aae": (aae(body(adversarial=1.0, b1_discriminator=0.5), critic), 1),
        "vae_gan": (vae_gan(body(beta=1.0, similarity=0.1), critic), 1),
        "refined_vae": (refined_vae(body(beta=1.0, adversarial=1.0), critic), 1),
        "bigan": (
            bigan(
                mlp.Generator(SHAPE, widths=(8,)), mlp.Encoder(3, widths=(8,)), joint.Discriminator(widths=(8,)),
                shape=SHAPE, latent_size=3, hyper={**BETAS, "lr_generator": 1e-3, "lr_discriminator": 1e-3},
            ),
            1,
        ),
    }  # fmt: skip
    for name, (algorithm, minibatches) in hybrids.items():
        changed, metrics, _ = moves(algorithm)
        assert changed == set(jax.eval_shape(algorithm.init, jax.random.key(0)).params), name
        assert algorithm.minibatches == {"train": minibatches}, name
        assert all(bool(jnp.isfinite(value)) for value in metrics.values()), name


def test_bigans_game_is_fair_in_the_two_kinds():
    """With a discriminator that says 0 to all, both players pay 2 log 2."""
    generator, encoder = mlp.Generator(SHAPE, widths=()), mlp.Encoder(3, widths=())
    algorithm = bigan(generator, encoder, joint.Discriminator(widths=()), shape=SHAPE, latent_size=3,
                      hyper={**BETAS, "lr_generator": 0.0, "lr_discriminator": 0.0})  # fmt: skip
    algorithm = compiled(algorithm)
    state = algorithm.init(jax.random.key(0))
    blind = jax.tree.map(jnp.zeros_like, state.params["discriminator"])
    state = state.replace(params={**state.params, "discriminator": blind})
    _, metrics = algorithm.update(state, {"train": {"x": IMAGES[None]}})
    np.testing.assert_allclose(metrics["loss/generator"], 2 * np.log(2), rtol=1e-5)
    np.testing.assert_allclose(metrics["loss/discriminator"], 2 * np.log(2), rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"prior": priors.gaussian_mixture(3, 2)}, "leave out prior"),
        ({"estimate": Estimate(Bound.IWAE, samples=4)}, "leave estimate out"),
        ({"rate": Rate(free_bits=FreeBits.PER_LAYER)}, "leave rate out"),
    ],
)
@pytest.mark.parametrize("model", [aae, vae_gan])
def test_what_a_hybrid_would_not_train_with_is_refused(model, options, words):
    with pytest.raises(UserError, match=words):
        model(vae_body(*networks(), **GAUSS, **options), mlp.Discriminator(widths=(8,)))


def test_codes_that_are_points_have_no_kl_to_tell():
    hyper = {**ADAM, "adversarial": 1.0, "lr_discriminator": 1e-3, "b1_discriminator": 0.5}
    for stochastic in (False, True):
        algorithm = aae(vae_body(*networks(), **{**GAUSS, "hyper": hyper}), mlp.Discriminator(), stochastic=stochastic)
        algorithm = compiled(algorithm)
        found = algorithm.probe(algorithm.init(jax.random.key(0)), BATCH, jax.random.key(1))
        assert algorithm.point_codes is not stochastic
        assert any(name.startswith("kl") for name in found) is stochastic
        assert ("log_variance" in algorithm.encode(weights(start(algorithm)), BATCH)) is stochastic
