"""Path lengths as a term of a GAN, due at intervals, with their moving mean; truncation as a sampler."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gen_jax.core.errors import UserError
from gen_jax.core.types import LABEL, weights
from gen_jax.models import styles
from gen_jax.models.gan import gan
from gen_jax.models.gan_parts import normal_latents
from gen_jax.nets import mlp, stylegan2
from gen_jax.objectives import adversarial

HYPER = {"lr_generator": 0.01, "lr_discriminator": 0.01, "b1": 0.0, "b2": 0.99, "path_length": 2.0}
LATENTS = normal_latents(3)
KEY = jax.random.key(0)


@cache
def model(classes=2):
    generator = stylegan2.Generator((4, 4, 1), (3,), style=3, depth=1, classes=classes)
    names = {} if classes is None else LABEL
    algorithm = gan(
        generator,
        mlp.Discriminator(widths=(4,), classes=classes),
        loss=adversarial.non_saturating,
        shape=(4, 4, 1),
        latents=LATENTS,
        given=names,
        terms=[styles.path_length(generator, LATENTS, tuple(names), interval=3)],
        hyper=HYPER,
    )
    algorithm = styles.with_truncation(algorithm, generator, LATENTS, classes)
    return algorithm, jax.jit(algorithm.init)(KEY), jax.jit(algorithm.update)


def test_lengths_are_due_at_intervals_and_their_mean_is_kept():
    _, state, update = model()
    batch = {"x": jnp.zeros((1, 4, 4, 4, 1)), "label": jnp.array([[0, 1, 0, 1]])}
    means, charges = [0.0], []
    for _ in range(4):
        state, metrics = update(state, {"train": batch})
        means.append(float(metrics["aux/path_length"]))
        charges.append(float(metrics["penalty/path_length"]))
    assert charges[0] > 0
    assert charges[1:3] == [0, 0]
    assert charges[3] > 0
    assert means[1] > 0
    assert means[1] == means[2] == means[3] != means[4]
    assert float(state.aux["path_length"]) == means[4]


def test_truncation_goes_from_the_mean_image_to_the_untruncated():
    algorithm, state, _ = model()
    view, label = weights(state), jnp.array([0, 1, 1], jnp.int32)
    draw = jax.jit(lambda psi: algorithm.samplers["truncated"].draw(view, KEY, 3, {"label": label}, psi=psi))
    whole = algorithm.samplers["prior"].draw(view, KEY, 3, {"label": label})
    np.testing.assert_allclose(draw(1.0), whole, atol=1e-5)
    middle = draw(0.0)
    np.testing.assert_allclose(middle[0], middle[1], atol=1e-5)
    spread = [float(jnp.abs(draw(psi) - middle).mean()) for psi in (0.25, 0.5, 1.0)]
    assert spread == sorted(spread)


@pytest.mark.parametrize("psi", [float("nan"), float("inf")])
def test_a_psi_that_is_no_number(psi):
    algorithm, state, _ = model()
    with pytest.raises(UserError, match="finite part") as caught:
        algorithm.samplers["truncated"].draw(weights(state), KEY, 1, {"label": jnp.zeros(1, jnp.int32)}, psi=psi)
    assert "\n" not in str(caught.value)
