"""The parts of a GAN in a game small enough to work by hand: real points at x, a generator that puts all its mass at
theta, and the critic D(x) = w x."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from gen_jax.core.errors import UserError
from gen_jax.core.players import sgd
from gen_jax.core.types import Weights, weights
from gen_jax.models import gan_terms
from gen_jax.models.gan import Hyper, Turns, gan
from gen_jax.models.gan_heads import Codes, acgan_head, infogan_head
from gen_jax.models.gan_parts import Latents, Term, normal_latents, uniform_latents
from gen_jax.nets import mlp
from gen_jax.nets.heads import Reconstructs, WithHead
from gen_jax.objectives import adversarial

X, THETA, W, RATE, BATCH = 2.0, 0.5, 0.3, 0.1, 8


class Point(nn.Module):
    @nn.compact
    def __call__(self, latents, label=None, *, train):
        return jnp.broadcast_to(self.param("theta", lambda key: jnp.float32(THETA)), (latents.shape[0], 1))


class Linear(nn.Module):
    @nn.compact
    def __call__(self, x, label=None, *, train):
        return self.param("w", lambda key: jnp.float32(W)) * x.sum(axis=-1)


def play(rounds=1, images=None, key=0, **options):
    """(state after `rounds`, metrics of the last one)."""
    chosen = {
        "loss": adversarial.wasserstein,
        "generator": Point(),
        "discriminator": Linear(),
        "latents": normal_latents(1),
    }
    algorithm = gan(
        shape=(1,) if images is None else images.shape[2:],
        optimizers={"generator": sgd("lr_generator"), "discriminator": sgd("lr_discriminator")},
        hyper={"lr_generator": RATE, "lr_discriminator": RATE, **options.pop("more", {})},
        **chosen | options,
    )
    state, metrics = algorithm.init(jax.random.key(key)), {}
    for _ in range(rounds):
        count = algorithm.minibatches["train"]
        x = jnp.full((count, BATCH, 1), X) if images is None else images
        label = jnp.broadcast_to(jnp.arange(BATCH) % 4, (count, BATCH))
        state, metrics = jax.jit(algorithm.update)(state, {"train": {"x": x, "label": label}})
    return state, metrics


def w(state):
    return float(state.params["discriminator"]["w"])


def theta(state):
    return float(state.params["generator"]["theta"])


def test_one_round_by_hand():
    """L_D = w (theta - x), then L_G = -w' theta: the generator sees the discriminator that has just moved."""
    state, metrics = play()
    after = W - RATE * (THETA - X)
    assert float(metrics["loss/discriminator"]) == pytest.approx(W * (THETA - X))
    assert w(state) == pytest.approx(after)
    assert float(metrics["loss/generator"]) == pytest.approx(-after * THETA)
    assert theta(state) == pytest.approx(THETA + RATE * after)


def test_n_critic_steps_then_clipping():
    state, _ = play(turns=Turns(3))
    assert w(state) == pytest.approx(W - 3 * RATE * (THETA - X))
    box = Term(project=lambda p, h: jax.tree.map(lambda x: jnp.clip(x, -h["c"], h["c"]), p))
    clipped, _ = play(turns=Turns(3), terms=(box,), more={"c": 0.25})
    assert w(clipped) == 0.25


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_unrolling_differentiates_through_the_discriminators_steps(steps):
    """Ahead, w_k = w - k rate (theta - x), so dL_G/dtheta = -w_k - theta dw_k/dtheta = -w + k rate (2 theta - x)."""
    state, metrics = play(terms=(gan_terms.unrolled(steps),))
    after = W - RATE * (THETA - X)
    ahead = after - steps * RATE * (THETA - X)
    assert w(state) == pytest.approx(after)  # looking ahead moves nothing
    assert float(metrics["loss/generator"]) == pytest.approx(-ahead * THETA)
    slope = -after + steps * RATE * (2 * THETA - X)
    assert theta(state) == pytest.approx(THETA - RATE * slope)


def test_unrolling_through_adam_survives_weights_without_a_gradient():
    from gen_jax.core.players import adam

    class Half(nn.Module):
        @nn.compact
        def __call__(self, x, label=None, *, train):
            asleep = self.param("asleep", lambda key: jnp.float32(1.0)) * nn.relu(x[:, 0] - 100.0) * x[:, 0]
            return self.param("w", lambda key: jnp.float32(W)) * x[:, 0] + asleep

    optimizers = {"generator": adam("lr_generator"), "discriminator": adam("lr_discriminator")}
    hyper = {"lr_generator": RATE, "lr_discriminator": RATE, "b1": 0.5, "b2": 0.9}
    algorithm = gan(Point(), Half(), loss=adversarial.wasserstein, shape=(1,), latents=normal_latents(1),
                    terms=(gan_terms.unrolled(3),), optimizers=optimizers, hyper=hyper)  # fmt: skip
    batch = {"train": {"x": jnp.full((1, BATCH, 1), X)}}
    state, metrics = jax.jit(algorithm.update)(jax.jit(algorithm.init)(jax.random.key(0)), batch)
    assert int(metrics["nonfinite/total"]) == 0
    assert theta(state) != THETA


@pytest.mark.parametrize(
    ("penalty", "name", "value"),
    [
        (gan_terms.r1(), "r1_gamma", W**2 / 2),
        (gan_terms.r1_and_r2(), "gamma", W**2),
        (gan_terms.gradient_penalty(), "gradient_penalty", (W - 1) ** 2),
        (gan_terms.gradient_penalty(one_sided=True), "gradient_penalty", 0.0),
        (gan_terms.dragan(), "dragan", (W - 1) ** 2),
        (gan_terms.consistency(lambda images, key: images + 1.0), "consistency", 2 * W**2),
        (gan_terms.lecam(), "lecam", (W * X) ** 2 + (W * THETA) ** 2),
    ],
)
def test_penalties_of_the_linear_critic(penalty, name, value):
    """Value, and that the discriminator alone pays hyper times its slope (values are in W^2 or (W - 1)^2 here)."""
    state, metrics = play(terms=(penalty,), more={name: 0.7})
    assert float(metrics[f"penalty/{name}"]) == pytest.approx(value, abs=1e-6)
    slope = 2 * value / (W - 1 if name in ("gradient_penalty", "dragan") else W)
    assert w(state) == pytest.approx(W - RATE * (THETA - X + 0.7 * slope), rel=1e-5)


def test_lazy_r1_charges_as_much_in_fewer_rounds():
    values = []
    for rounds in (1, 2, 3):
        _, metrics = play(rounds, terms=(gan_terms.r1(interval=2),), more={"r1_gamma": 0.0})
        values.append(float(metrics["penalty/r1_gamma"]))
    assert values[0] == pytest.approx(2 * W**2 / 2)
    assert values[1] == 0
    assert values[2] > 0


def test_a_scheduled_penalty_follows_the_rounds():
    term = gan_terms.scheduled(gan_terms.r1(), lambda step: 1.0 / (1.0 + step))
    options = {"more": {"r1_gamma": 0.0}}
    for rounds, factor in ((1, 1.0), (2, 0.5)):
        _, metrics = play(rounds, terms=(term,), **options)
        _, plain = play(rounds, terms=(gan_terms.r1(),), **options)
        assert float(metrics["penalty/r1_gamma"]) == pytest.approx(factor * float(plain["penalty/r1_gamma"]))


def test_lecam_keeps_averages_of_the_logits():
    state, metrics = play(terms=(gan_terms.lecam(decay=0.9),), more={"lecam": 0.0})
    assert float(state.aux["lecam"]["ema_real"]) == pytest.approx(0.1 * W * X)
    assert float(metrics["aux/lecam/ema_fake"]) == pytest.approx(0.1 * W * THETA)


def test_lecam_may_start_late():
    """Before `start` (rounds 0 and 1) averages are the batch's own means and cost nothing; then both as ever."""
    term, options = gan_terms.lecam(decay=0.9, start=2, one_sided=True), {"more": {"lecam": 0.0}}
    means, kept = {"real": [], "fake": []}, None
    for rounds in (1, 2, 3, 4):
        state, metrics = play(rounds, terms=(term,), **options)
        found = {side: float(state.aux["lecam"][f"ema_{side}"]) for side in means}
        for side in means:
            means[side].append(float(metrics[f"logits/{side}"]))
        if rounds <= 2:
            assert float(metrics["penalty/lecam"]) == 0
            kept = {side: means[side][-1] for side in means}
        else:
            real, fake = means["real"][-1], means["fake"][-1]
            expected = max(real - kept["fake"], 0) ** 2 + max(kept["real"] - fake, 0) ** 2
            assert float(metrics["penalty/lecam"]) == pytest.approx(expected, rel=1e-5)
            kept = {side: 0.9 * kept[side] + 0.1 * means[side][-1] for side in means}
        assert found == pytest.approx(kept, rel=1e-5)


def test_ada_follows_the_sign_of_the_real_logits():
    """All real logits are positive (r_t = 1 > .6): after four steps p rises by 4 batches in `speed` images."""
    controller = gan_terms.adaptive_augment(speed=1000)._replace(augment=None)
    state, metrics = play(3, terms=(controller,))
    assert float(metrics["aux/ada/p"]) == 0
    state, metrics = play(4, terms=(controller,))
    assert float(state.aux["ada"]["p"]) == pytest.approx(4 * BATCH / 1000)


def test_instance_noise_falls_linearly_to_nothing():
    """After t of 4 rounds the real logits' spread is w sigma (1 - t / 4)."""

    class Spread(nn.Module):
        @nn.compact
        def __call__(self, x, label=None, *, train):
            return self.param("w", lambda key: jnp.float32(0.0)) + jnp.std(x) * jnp.ones(x.shape[0])

    noise = gan_terms.instance_noise(horizon=4)
    seen = []
    for rounds in (1, 3, 5):
        options = {"discriminator": Spread(), "terms": (noise,), "more": {"instance_noise": 0.5, "lr_discriminator": 0}}
        images = jnp.full((1, BATCH, 4000), X)
        seen.append(float(play(rounds, images, generator=mlp.Generator((4000,), (2,)), **options)[1]["logits/real"]))
    np.testing.assert_allclose(seen, [0.5, 0.25, 0.0], rtol=0.02, atol=1e-6)


def test_top_k_shrinks_by_the_schedule():
    """k = 8 .5^t, floored at 2; fakes are told apart by their latents: the loss is the mean of the k best."""

    class Identity(nn.Module):
        @nn.compact
        def __call__(self, latents, label=None, *, train):
            return latents + self.param("theta", lambda key: jnp.float32(0.0))

    def latents(key, count):
        return jnp.arange(count, dtype=jnp.float32)[:, None]

    for rounds, best in ((1, 8), (2, 4), (3, 2), (4, 2)):
        _, metrics = play(
            rounds,
            generator=Identity(),
            latents=Latents(1, latents),
            terms=(gan_terms.top_k(interval=1, decay=0.5, fraction=0.25),),
            more={"lr_generator": 0.0, "lr_discriminator": 0.0},
        )
        assert float(metrics["loss/generator"]) == pytest.approx(-W * np.arange(BATCH)[-best:].mean())


def test_began_balances_by_the_reconstruction_losses():
    networks = {
        "generator": mlp.Generator((6,), (4,)),
        "discriminator": Reconstructs(mlp.Encoder(2, widths=(4,)), mlp.Generator((6,), (4,))),
    }
    images = jax.random.normal(jax.random.key(3), (1, BATCH, 6))
    state, metrics = play(
        1, images, terms=(gan_terms.began_balance(),), more={"gamma": 0.9, "balance_rate": 0.2}, **networks
    )
    real, fake = -float(metrics["logits/real"]), -float(metrics["logits/fake"])
    assert real > 0
    assert fake > 0
    assert float(metrics["loss/discriminator"]) == pytest.approx(real)  # k starts at 0
    assert float(state.aux["began"]) == pytest.approx(np.clip(0.2 * (0.9 * real - fake), 0, 1), abs=1e-7)


def test_acgans_head_charges_real_and_fake_to_d_and_fake_to_g():
    """With a head that knows nothing, cross-entropy is log 4 a batch."""
    nothing = nn.initializers.zeros_init()
    head = WithHead(mlp.Discriminator(widths=(4,)), 4, kernel_init=nothing)
    _, metrics = play(discriminator=head, terms=(acgan_head(),), more={"classification": 1.0, "lr_discriminator": 0.0})
    assert float(metrics["auxiliary/discriminator"]) == pytest.approx(2 * math.log(4))
    assert float(metrics["auxiliary/generator"]) == pytest.approx(math.log(4))


def test_infogans_bound_is_the_codes_own_spread_where_nothing_is_recovered():
    """Uniform logits give 0 nats; means at 0 of unit variance give d (log 2 - log(2 pi) / 2 - c^2 / 2)."""
    codes = Codes(noise=3, categories=5, groups=2, continuous=2)
    drawn = codes.draw(jax.random.key(1), 1000)
    assert drawn.shape == (1000, codes.size) == (1000, 3 + 10 + 2)
    np.testing.assert_array_equal(drawn[:, 3:13].reshape(1000, 2, 5).sum(axis=-1), 1)
    assert float(jnp.abs(drawn[:, 13:]).max()) <= 1
    head = WithHead(mlp.Discriminator(widths=(4,)), codes.outputs, kernel_init=nn.initializers.zeros_init())
    _, metrics = play(
        discriminator=head,
        latents=Latents(codes.size, lambda key, count: codes.draw(key, count).at[:, 13:].set(0.5)),
        terms=(infogan_head(codes),),
        more={"information": 1.0, "continuous": 0.1, "lr_discriminator": 0.0},
    )
    bound = 2 * (math.log(2) - 0.5 * math.log(2 * math.pi) - 0.5 * 0.5**2)
    for player in ("discriminator", "generator"):
        assert float(metrics[f"auxiliary/{player}"]) == pytest.approx(-0.1 * bound, rel=1e-5)


def test_packing_shows_the_discriminator_consecutive_points_together():
    """Packs of 2 make the linear critic's logit w (x_1 + x_2)."""
    _, metrics = play(terms=(gan_terms.packed(2),))
    assert float(metrics["logits/real"]) == pytest.approx(2 * W * X)
    assert float(metrics["logits/fake"]) == pytest.approx(2 * W * THETA)


def test_the_generator_pays_its_own_penalties():
    own = gan_terms.generator_penalty("own", lambda v: v.params["generator"]["theta"] ** 2)
    state, _ = play(terms=(own,), more={"own": 0.7})
    after = W - RATE * (THETA - X)
    assert w(state) == pytest.approx(after)
    assert theta(state) == pytest.approx(THETA - RATE * (-after + 0.7 * 2 * THETA))


def test_looking_ahead_clips_and_projects_as_the_discriminators_own_steps_do():
    """The slope of w, theta - x = -1.5, is clipped to 0.2 and w boxed below .33: ahead of .32 it is .33, not .34."""
    box = Term(project=lambda p, h: jax.tree.map(lambda x: jnp.minimum(x, h["box"]), p))
    terms, more = (gan_terms.unrolled(1),), {"clip_norm": 0.2}
    state, metrics = play(terms=terms, more=more)
    after = W + RATE * 0.2
    assert w(state) == pytest.approx(after)
    assert float(metrics["loss/generator"]) == pytest.approx(-(after + RATE * 0.2) * THETA)
    state, metrics = play(terms=(*terms, box), more=more | {"box": 0.33})
    assert w(state) == pytest.approx(after)
    assert float(metrics["loss/generator"]) == pytest.approx(-0.33 * THETA)


def test_projections_chain_in_order():
    double, cap = (
        Term(project=lambda p, h: jax.tree.map(lambda x: 2 * x, p)),
        Term(project=lambda p, h: jax.tree.map(lambda x: jnp.minimum(x, 0.5), p)),
    )
    after = W - RATE * (THETA - X)
    assert w(play(terms=(double, cap))[0]) == pytest.approx(0.5)
    assert w(play(terms=(cap, double))[0]) == pytest.approx(2 * after)


def test_a_loss_of_the_whole_batch_has_no_held_out_value_of_an_example():
    def held_out(loss):
        algorithm = gan(Point(), Linear(), loss=loss, shape=(1,), latents=normal_latents(1), hyper=Hyper())
        state = jax.jit(algorithm.init)(jax.random.key(0))
        assert algorithm.evaluate is not None
        view = (state.params, state.stats)
        return algorithm.evaluate(Weights(*view), {"x": jnp.asarray([[1.0], [2.0]])}, jax.random.key(1))

    found = held_out(adversarial.relativistic)
    expected = np.log1p(np.exp(W * (THETA - np.array([1.0, 2.0]))))
    np.testing.assert_allclose(found["loss/discriminator"], expected, rtol=1e-6)
    assert set(held_out(adversarial.relativistic_average)) == {
        "logits/real", "logits/fake", "accuracy/real", "accuracy/fake"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ((acgan_head(), infogan_head(Codes())), "a second head"),
        ((gan_terms.packed(2), gan_terms.packed(4)), "packing"),
        ((gan_terms.lecam(), gan_terms.lecam("other")), "a controller"),
        ((gan_terms.r1("gamma"), gan_terms.r1_and_r2("gamma")), "a penalty"),
        ((gan_terms.packed(2), gan_terms.diff_augment()), "augmentations"),
        ((gan_terms.packed(2), acgan_head()), "a second head"),
    ],
)
def test_terms_that_cannot_stand_together(terms, words):
    with pytest.raises(UserError, match=words):
        play(terms=terms)


def test_a_weight_that_no_term_reads_is_refused():
    with pytest.raises(UserError, match="hyper r1_gama"):
        play(more={"r1_gama": 1.0})


@pytest.mark.parametrize(
    ("term", "name"),
    [
        (gan_terms.r1(), "r1_gamma"),
        (gan_terms.weight_clipping(), "clip"),
        (gan_terms.instance_noise(), "instance_noise"),
        (gan_terms.lecam("lecam_weight"), "lecam_weight"),
    ],
)
def test_a_weight_that_is_not_there_is_named(term, name):
    with pytest.raises(UserError, match=f"hyper {name}: .* set --hyper.{name}"):
        play(terms=(term,))


def test_truncated_samples_come_from_latents_within_the_bound():
    class Identity(nn.Module):
        @nn.compact
        def __call__(self, latents, *, train):
            return latents + self.param("theta", lambda key: jnp.float32(0.0))

    def made(latents):
        return gan(Identity(), Linear(), loss=adversarial.wasserstein, shape=(1,), latents=latents, hyper=Hyper())

    algorithm = made(normal_latents(1))
    view, key = weights(jax.jit(algorithm.init)(jax.random.key(0))), jax.random.key(1)
    truncated = algorithm.samplers["truncated"]
    assert truncated.options == {"at": 0.7}
    assert float(jnp.abs(algorithm.samplers["prior"].draw(view, key, 500, {})).max()) > 2
    for at in (0.7, 0.2):
        drawn = jnp.abs(truncated.draw(view, key, 500, {}, at=at))
        assert 0.9 * at < float(drawn.max()) <= at
    with pytest.raises(UserError, match="truncated at -1"):
        truncated.draw(view, key, 2, {}, at=-1.0)
    assert set(made(uniform_latents(1)).samplers) == {"prior"}
