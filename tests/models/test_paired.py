"""Paired images: what is minimised, what comes out of a picture depends on it alone, other sizes, refusals."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gen_jax.core.errors import UserError
from gen_jax.core.types import weights
from gen_jax.models.paired import enlarged, paired
from gen_jax.nets.patch import PatchDiscriminator, patch_size
from gen_jax.nets.unet import UNet
from gen_jax.objectives import adversarial

HYPER = {"lr_generator": 0.01, "b1": 0.5, "b2": 0.999, "l1": 3.0}
KEY = jax.random.key(0)
GIVEN = jax.random.uniform(KEY, (4, 4, 4, 1), minval=-1)
WANTED = jax.random.uniform(jax.random.key(1), (4, 8, 8, 1), minval=-1)


@cache
def model(with_critic: bool = True):
    algorithm = paired(
        UNet(1, 4, (1,), dropout=0.5, skip=True),
        PatchDiscriminator(4, 1) if with_critic else None,
        loss=adversarial.non_saturating if with_critic else None,
        shape=(8, 8, 1),
        input_shape=(4, 4, 1),
        hyper=HYPER | ({"lr_discriminator": 0.01} if with_critic else {}),
    )
    return algorithm, jax.jit(algorithm.init)(KEY)


def test_at_first_the_answer_is_the_bicubic_one_and_its_error_is_reported():
    algorithm, state = model(with_critic=False)
    assert set(state.params) == {"generator"}
    batch = {"input": GIVEN, "x": WANTED}
    found = jax.jit(lambda: algorithm.evaluate(weights(state), batch, KEY))()
    floor = np.clip(np.asarray(enlarged(GIVEN, 2)), -1, 1) - np.asarray(WANTED)
    np.testing.assert_allclose(found["l1"], np.abs(floor).mean(axis=(1, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(found["psnr"], 10 * np.log10(4 / (floor**2).mean(axis=(1, 2, 3))), rtol=1e-5)


def test_a_step_moves_both_players_and_the_error_falls():
    algorithm, state = model()
    update = jax.jit(algorithm.update)
    batch = {"train": {"input": GIVEN[None], "x": WANTED[None]}}
    after, first = update(state, batch)
    for _ in range(8):
        after, last = update(after, batch)
    assert set(state.params) == {"generator", "discriminator"}
    assert float(last["l1"]) < float(first["l1"])
    assert {"loss/discriminator", "loss/generator"} <= set(last)


def test_what_is_made_of_a_picture_depends_on_it_alone():
    """Neither on its neighbours, nor their number, nor their order, nor the key."""
    algorithm, state = model()
    state = state.replace(params=jax.tree.map(lambda leaf: leaf + 0.05, state.params))
    draw = jax.jit(algorithm.samplers["prior"].draw, static_argnums=2)
    view = weights(state)
    whole = draw(view, KEY, 4, {"input": GIVEN})
    for other in (draw(view, jax.random.key(5), 1, {"input": GIVEN[2:3]})[0],
                  draw(view, KEY, 4, {"input": GIVEN[::-1]})[1],
                  draw(view, KEY, 4, {"input": GIVEN.at[jnp.array([0, 1, 3])].set(0.9)})[2]):  # fmt: skip
        np.testing.assert_allclose(other, whole[2], atol=1e-5)


def test_pictures_of_other_sizes_are_made_too():
    algorithm, state = model()
    draw = jax.jit(algorithm.samplers["prior"].draw, static_argnums=2)
    made = draw(weights(state), KEY, 1, {"input": jnp.zeros((1, 6, 10, 1))})
    assert made.shape == (1, 12, 20, 1)


def test_patches_are_as_large_as_they_say():
    assert [patch_size(stages) for stages in (1, 2, 3)] == [16, 34, 70]
    critic = PatchDiscriminator(2, 1)
    zeros = jnp.zeros((1, 40, 40, 1))
    params = jax.jit(lambda: critic.init(KEY, zeros, zeros, train=False))()["params"]
    biases = jax.tree.map(lambda leaf: leaf + 0.1, params)

    def centre(x):  # without normalisation's view of the whole picture: where the slope of one logit is not 0
        return critic.apply({"params": biases}, x, zeros, train=False)[0, 10, 10]

    slope = np.abs(np.asarray(jax.jit(jax.grad(centre))(jax.random.normal(KEY, zeros.shape))))[0, :, :, 0]
    near = slope[12:30, 12:30].mean()
    assert near > 5 * slope[:2].mean()


@pytest.mark.parametrize(
    ("shape", "given"),
    [((8, 8, 1), (3, 3, 1)), ((8, 8, 1), (4, 2, 1)), ((4, 4, 1), (8, 8, 1)), ((2,), (2,))],
)
def test_sizes_that_do_not_go_together(shape, given):
    with pytest.raises(UserError, match="whole number of times") as caught:
        paired(UNet(1, 4), None, shape=shape, input_shape=given, hyper=HYPER)
    assert "\n" not in str(caught.value)


def test_what_is_given_is_asked_for():
    algorithm, state = model()
    with pytest.raises(UserError, match="give input"):
        algorithm.samplers["prior"].draw(weights(state), KEY, 2, {})
