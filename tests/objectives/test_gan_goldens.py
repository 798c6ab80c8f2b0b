"""Losses and penalties of GANs, values and gradients, by PyTorch (tests/golden/make_gan_objectives.py)."""

import json
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gen_jax.objectives import adversarial, classifier, infogan, penalties, regularizers, weights

GOLDEN = Path(__file__).parents[1] / "golden"
sys.path.insert(0, str(GOLDEN))
from drawn import drawn  # noqa: E402

EXPECTED = json.loads((GOLDEN / "gan_objectives.json").read_text())
REAL, FAKE = drawn("input/real", (8, 4)), drawn("input/fake", (8, 4))
PARAMS = {name: drawn(f"critic/{name}", shape) for name, shape in {"W": (4, 6), "b": (6,), "v": (6, 1)}.items()}
LOSSES = {loss.name: loss.value for loss in adversarial.Loss}
LOSSES["smoothed"] = adversarial.smoothed(adversarial.non_saturating)


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def critic(params):
    return lambda x: (jnp.tanh(x @ params["W"] + params["b"]) @ params["v"])[:, 0]


def r3gan(p):
    slope = penalties.r1(critic(p), jnp.asarray(REAL)) + penalties.r2(critic(p), jnp.asarray(FAKE))
    game = adversarial.relativistic.discriminator(critic(p)(REAL), critic(p)(FAKE))
    return game + 0.7 / 2 * slope


def at_real(p, **options):
    """At mixtures of equal points, which are those points."""
    points = jnp.asarray(REAL)
    return penalties.gradient_penalty(critic(p), points, points, jax.random.key(0), **options)


def lecam(p):
    real, fake = critic(p)(REAL), critic(p)(FAKE)
    return regularizers.lecam(real, fake, jnp.float64(0.2), jnp.float64(-0.1), one_sided=True)


PENALTIES = {
    "gradient_penalty": at_real,
    "one_sided": lambda p: at_real(p, one_sided=True),
    "r1": lambda p: penalties.r1(critic(p), jnp.asarray(REAL)),
    "r2": lambda p: penalties.r2(critic(p), jnp.asarray(FAKE)),
    "r3gan": r3gan,
    "lecam": lecam,
    "orthogonal": lambda p: weights.orthogonal({"kernel": p["W"]}),
}


@pytest.mark.parametrize("name", EXPECTED["losses"])
def test_losses_of_both_players(name):
    logits = [jnp.asarray(critic(PARAMS)(x)) for x in (REAL, FAKE)]
    for player, (value, *gradients) in zip(LOSSES[name][:2], EXPECTED["losses"][name], strict=True):
        found, slopes = jax.value_and_grad(player, argnums=(0, 1))(*logits)
        np.testing.assert_allclose(found, value, rtol=1e-12)
        for slope, expected in zip(slopes, gradients, strict=True):
            np.testing.assert_allclose(slope, expected, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("name", EXPECTED["penalties"])
def test_penalties_and_what_they_do_to_the_critic(name):
    value, gradients = EXPECTED["penalties"][name]
    found, slopes = jax.jit(jax.value_and_grad(PENALTIES[name]))(jax.tree.map(jnp.asarray, PARAMS))
    np.testing.assert_allclose(found, value, rtol=1e-12)
    for part, expected in gradients.items():
        np.testing.assert_allclose(slopes[part], expected, rtol=1e-9, atol=1e-12)


def test_orthogonal_regularisation_is_biggans_at_twice_its_strength():
    slope = jax.grad(lambda w: 0.5 * weights.orthogonal({"kernel": w}))(jnp.asarray(PARAMS["W"]))
    np.testing.assert_allclose(slope, EXPECTED["biggans_orthogonal"], rtol=1e-10, atol=1e-13)


def test_second_heads():
    logits, labels = jnp.asarray(drawn("input/class_logits", (8, 5))), jnp.arange(8) % 5
    np.testing.assert_allclose(classifier.cross_entropy(logits, labels), EXPECTED["heads"]["classifier"], rtol=1e-12)
    codes, means = (jnp.asarray(drawn(f"input/{name}", (8, 3))) for name in ("codes", "means"))
    found = -infogan.gaussian_log_likelihood(codes, means).mean()
    np.testing.assert_allclose(found, EXPECTED["heads"]["gaussian"], rtol=1e-12)
