"""Private training: epsilon as published, the noised sum of a Poisson batch, and all that is refused."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from gen_jax.core import accounting
from gen_jax.core.compose import compose
from gen_jax.core.errors import UserError
from gen_jax.core.gradients import private
from gen_jax.core.phases import Phase
from gen_jax.core.players import Player, sgd
from gen_jax.core.private import Mechanism
from gen_jax.core.types import LABEL, Aux, Context
from gen_jax.data import source
from gen_jax.models import gan, gan_terms, vae
from gen_jax.models.gan_parts import normal_latents
from gen_jax.models.vae_body import vae_body
from gen_jax.nets import dcgan, mlp
from gen_jax.nets.layers import BatchNorm
from gen_jax.objectives import adversarial, likelihoods
from gen_jax.objectives.likelihoods import Binarization
from gen_jax.runs import private as settings

SHAPE, DELTA = (8, 8, 1), 1e-5
GOLDEN = [  # examples, expected batch, noise, steps, epsilon by Rényi divergences, by privacy loss distributions
    (60_000, 128, 1.0, 450_000, 9.9697, 9.2786),
    (60_000, 512, 2.0, 174_000, 10.0791, 9.3857),
    (60_000, 512, 14.0, 165_000, 1.0036, 0.9204),
    (4_000, 64, 1.0, 3_000, 5.9333, 5.4304),
    (4_000, 64, 2.0, 3_000, 2.0530, 1.8823),
    (60_000, 256, 1.1, 14_063, 2.5967, 2.3818),
]


# ---- epsilon ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("size", "batch", "noise", "steps", "wanted", "_"), GOLDEN)
def test_epsilon_by_renyi_divergences_is_the_published_one(size, batch, noise, steps, wanted, _):
    pytest.importorskip("dp_accounting")
    assert accounting.rdp(noise, batch / size, steps, DELTA) == pytest.approx(wanted, abs=1e-3)
    curve = accounting.curve(noise, batch / size, DELTA)
    assert float(curve.epsilon(jnp.int32(steps))) == pytest.approx(wanted, abs=1e-3)


@pytest.mark.science
@pytest.mark.parametrize(("size", "batch", "noise", "steps", "_", "wanted"), GOLDEN)
def test_epsilon_by_privacy_loss_distributions_is_the_published_one(size, batch, noise, steps, _, wanted):
    pytest.importorskip("dp_accounting")
    assert accounting.pld(noise, batch / size, steps, DELTA) == pytest.approx(wanted, abs=1e-3)


@pytest.mark.science
@pytest.mark.parametrize(
    ("size", "batch", "steps", "wanted"), [(4_000, 64, 3_000, 0.7617), (60_000, 512, 20_000, 0.8793)]
)
def test_the_noise_for_an_epsilon_of_ten(size, batch, steps, wanted):
    pytest.importorskip("dp_accounting")
    found = accounting.noise_for(10.0, batch / size, steps, DELTA)
    assert found == pytest.approx(wanted, abs=1e-3)
    assert accounting.pld(found, batch / size, steps, DELTA) <= 10.0


# ---- the sum ---------------------------------------------------------------------------------------------------------
class Linear(nn.Module):
    @nn.compact
    def __call__(self, x, *, train):
        return nn.Dense(1)(x)[:, 0]


def test_rows_without_an_example_count_nothing_and_the_size_is_the_expected_one():
    """Against a loop over the examples that are there; what the other rows show does not matter, NaN included."""
    player = Player(Linear(), (jax.ShapeDtypeStruct((2, 3), jnp.float32),), sgd("lr"))

    def objective(params, context):
        value = jnp.mean((player.module.apply({"params": params["a"]}, context.batch["x"], train=True) - 1.0) ** 2)
        return value, Aux(metrics={"of data": value})

    phase = Phase(("a",), objective, gradient=private(0.5, 0.0, expected=5.0, spent=lambda rounds: 2.0 * rounds))
    algorithm = compose({"a": player}, [phase], {"lr": 1.0})
    state = algorithm.init(jax.random.key(0))
    x = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    x[[1, 4]] = np.nan
    present = np.array([1, 0, 1, 1, 0, 1], np.float32)
    after, metrics = jax.jit(algorithm.update)(
        state, {"train": {"x": jnp.asarray(x)[None], "present": jnp.asarray(present)[None]}}
    )
    total = jax.tree.map(jnp.zeros_like, state.params["a"])
    for row in np.flatnonzero(present):
        slope = jax.grad(
            lambda p, row=row: (player.module.apply({"params": p}, x[row : row + 1], train=True)[0] - 1) ** 2
        )
        found = slope(state.params["a"])
        norm = math.sqrt(sum(float((leaf**2).sum()) for leaf in jax.tree.leaves(found)))
        total = jax.tree.map(lambda t, g, s=min(1.0, 0.5 / norm): t + s * g, total, found)
    for got, before, summed in zip(*map(jax.tree.leaves, (after.params["a"], state.params["a"], total)), strict=True):
        np.testing.assert_allclose(got, before - summed / 5.0, rtol=1e-5, atol=1e-6)
    assert "of data" not in metrics  # a mean over examples that nobody noised
    assert float(metrics["epsilon"]) == 2.0


# ---- models ----------------------------------------------------------------------------------------------------------
def mechanism(monkeypatch):
    """Without the package that counts."""
    flat = accounting.Curve((2.0,), (0.01,), DELTA)
    monkeypatch.setattr(accounting, "curve", lambda *_: flat)
    monkeypatch.setattr(accounting, "pld", lambda *_: 1.0)
    monkeypatch.setattr(accounting, "rdp", lambda *_: 2.0)
    given = lambda key, count: {"label": jax.random.randint(key, (count,), 0, 10)}  # noqa: E731
    return Mechanism("private", 1.0, 1.0, 0.1, 6.0, DELTA, 10, given)


def a_gan(how, **options):
    chosen = {
        "discriminator": mlp.Discriminator(widths=(8,), classes=10),
        "loss": adversarial.non_saturating,
        "hyper": gan.Hyper(),
        "given": LABEL,
        **options,
    }
    generator = mlp.Generator(SHAPE, widths=(8,), classes=10 if chosen["given"] else None)
    return gan.gan(generator, shape=SHAPE, latents=normal_latents(3), private=how, **chosen)


def a_round(rows=8):
    x = np.random.default_rng(1).uniform(-1, 1, (1, rows, *SHAPE)).astype(np.float32)
    batch = {"x": x, "label": np.arange(rows, dtype=np.int32)[None] % 10, "present": np.ones((1, rows), np.float32)}
    return {"private": jax.tree.map(jnp.asarray, batch)}


def test_a_private_gan_logs_nothing_of_its_data_and_its_generator_sees_none(monkeypatch):
    how = mechanism(monkeypatch)
    algorithm = a_gan(how)
    assert set(algorithm.minibatches) == {"private"}
    assert algorithm.probe is None
    assert algorithm.privacy["epsilon"] == 1.0
    state = jax.eval_shape(algorithm.init, jax.random.key(0))
    _, metrics = jax.eval_shape(algorithm.update, state, a_round())
    assert {"epsilon", "loss/generator"} <= set(metrics)
    assert not {"logits/real", "loss/discriminator"} & set(metrics)
    seen = {}
    blind = how.blind(Phase(("a",), lambda params, context: seen.update(context.batch) or (0.0, Aux())))
    batch = {name: leaf[0] for name, leaf in a_round()["private"].items()}
    context = Context({}, {}, {}, {}, jnp.int32(0), batch, jax.random.key(1), {})
    blind.objective({}, context)
    assert set(seen) == {"x", "label"}
    assert not np.asarray(seen["x"]).any()
    assert not np.array_equal(seen["label"], batch["label"])


PACKED = {"terms": (gan_terms.packed(2),), "given": {}, "discriminator": mlp.Discriminator(widths=(8,))}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (PACKED, ["packing"]),
        ({"loss": adversarial.relativistic}, ["relativistic"]),
        ({"loss": adversarial.relativistic_average}, ["means over the batch"]),
        ({"turns": gan.Turns(share_fakes=True)}, ["shared fakes"]),
        ({"terms": (gan_terms.unrolled(2),)}, ["unrolled"]),
        ({"terms": (gan_terms.adaptive_augment(),)}, ["ADA"]),
        ({"discriminator": mlp.Discriminator(widths=(8,), classes=10, norm=BatchNorm)}, ["batch norm"]),
        (
            {"discriminator": dcgan.Discriminator(width=4, norm=None, classes=10, stddev_group=4)},
            ["standard deviation"],
        ),
        ({"discriminator": mlp.Discriminator(widths=(8,), classes=10, spectral=True)}, ["spectral norm"]),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_mixes_examples_is_refused(options, words, monkeypatch):
    how = mechanism(monkeypatch)
    with pytest.raises(UserError) as caught:
        algorithm = a_gan(how, **options)
        jax.eval_shape(algorithm.update, jax.eval_shape(algorithm.init, jax.random.key(0)), a_round())
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_private_vae_steps_and_refuses_batch_norm(monkeypatch):
    how = mechanism(monkeypatch)

    def made(norm):
        body = vae_body(
            dcgan.Encoder(2, width=4, norm=norm), dcgan.Decoder(SHAPE, width=4, norm=norm), shape=SHAPE,
            likelihood=likelihoods.bernoulli(), binarization=Binarization.DYNAMIC, hyper=vae.Hyper(),
        )  # fmt: skip
        algorithm = vae.vae(body, private=how)
        state = jax.eval_shape(algorithm.init, jax.random.key(0))
        return jax.eval_shape(algorithm.update, state, a_round())[1]

    assert "elbo" not in made(None)
    with pytest.raises(UserError, match="batch norm"):
        made(dcgan.batch_norm)


# ---- settings --------------------------------------------------------------------------------------------------------
@dataclasses.dataclass(frozen=True, kw_only=True)
class Asked(settings.Private):
    steps: int = 10
    track: str = ""


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"delta": 0.1}, ["--delta 0.1", "1 in 60"]),
        ({"track": "fd", "delta": 1e-3}, ["--track fd", "training data"]),
    ],
)
def test_settings_that_promise_nothing_are_refused(asked, words):
    x = np.zeros((60, 4), np.float32)
    data = source.from_arrays("npz:x", {"x": x}, {"x": x}, None)
    with pytest.raises(UserError) as caught:
        settings.mechanism(Asked(private=True, **asked), data)
    assert all(word in str(caught.value) for word in words)
    assert settings.mechanism(Asked(), data) is None
