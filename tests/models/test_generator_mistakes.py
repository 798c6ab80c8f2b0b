"""Settings of flow_matching, stylegan2, pix2pix and wavegan that cannot go together: one line, before all else."""

import dataclasses

import jax
import jax.numpy as jnp
import pytest

from experiments import flow_matching, pix2pix, r3gan, stylegan2, wavegan
from gen_jax.core.errors import UserError
from gen_jax.data import load

CASES = [
    (flow_matching, "ring8", {}, "is for images"),
    (flow_matching, "digits", {"multipliers": ()}, "--multipliers"),
    (flow_matching, "digits", {"multipliers": (1, 1, 1, 1, 1)}, "multiple of 16"),
    (flow_matching, "folder", {"conditional": True}, "leave out --conditional"),
    (stylegan2, "ring8", {}, "images, not of points"),
    (stylegan2, "digits", {"widths": ()}, "0 sizes"),
    (stylegan2, "digits", {"widths": (4, 4, 4, 4, 4)}, "multiple of 16"),
    (stylegan2, "folder", {"conditional": True}, "leave out --conditional"),
    (pix2pix, "digits", {}, "has no pairs"),
    (pix2pix, "ring8", {}, "is for images"),
    (pix2pix, "edges:digits", {"multipliers": ()}, "--multipliers"),
    (pix2pix, "edges:stacked:digits", {"skip": True}, "--skip adds"),
    (
        pix2pix,
        "edges:digits",
        {"adversarial": False, "hyper": pix2pix.Hyper(lr_discriminator=1.0)},
        "--hyper.lr-discriminator",
    ),
    (wavegan, "digits", {}, "holds images"),
    (wavegan, "ring8", {}, "holds points"),
]


@pytest.mark.parametrize(("script", "data", "settings", "says"), CASES)
def test_one_line_says_what_would_work(script, data, settings, says):
    source = load.load("digits" if data == "folder" else data)
    if data == "folder":
        source = dataclasses.replace(source, classes=None)
    with pytest.raises(UserError, match=says) as caught:
        jax.eval_shape(script.build(script.Config(**settings), source).init, jax.random.key(0))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("script", "data", "settings"),
    [
        (flow_matching, "digits", {"multipliers": (1, 1)}),
        (stylegan2, "digits", {"widths": (4, 4), "conditional": True}),
        (pix2pix, "edges:digits", {"multipliers": (1, 1), "patch_stages": 1}),
        (pix2pix, "shrunk:digits", {"multipliers": (1,), "adversarial": False, "skip": True}),
    ],
)
def test_and_what_works_does(script, data, settings):
    algorithm = script.build(script.Config(**settings), load.load(data))
    assert jax.eval_shape(algorithm.init, jax.random.key(0)).params


@pytest.mark.parametrize(
    ("horizon", "given", "expected"),
    [(None, None, (0.99, 0.99)), (None, 0.95, (0.95, 0.95)), (10, None, (0.9, 0.99)),
     (10, 0.99, (0.99, 0.99)), (10, 0.95, (0.95, 0.95))],
)  # fmt: skip
def test_r3gan_takes_the_beta_2_that_it_is_given(horizon, given, expected):
    """At round 0 and after the horizon; without a value it follows its schedule where there is one."""
    config = r3gan.Config(horizon=horizon, hyper=r3gan.Hyper(b2=given))
    hyper = r3gan.hypers(config)
    made = r3gan.adam("lr_generator", horizon, r3gan.schedules_b2(config))({**hyper, "lr_generator": 1.0})
    state = made.init(jnp.zeros(2))
    found = []
    for _ in range(12):
        _, state = made.update(jnp.ones(2), state, jnp.zeros(2))
        found.append(float(state.hyperparams["b2"]))
    assert (found[0], found[-1]) == pytest.approx(expected, abs=1e-6)
