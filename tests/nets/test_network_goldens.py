"""Networks against those of other hands (tests/golden/make_networks.py says whose), with the same weights.

Every parameter is drawn by its name; spectral vectors are the exact ones, by NumPy's SVD. Batch statistics are those of
the batch.
"""

import json
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gen_jax.models.ladder_vae import kl_of
from gen_jax.nets import biggan, dcgan, ladder, r3gan, sngan

GOLDEN = Path(__file__).parents[1] / "golden"
sys.path.insert(0, str(GOLDEN))
from drawn import drawn  # noqa: E402

EXPECTED = json.loads((GOLDEN / "networks.json").read_text())
LABEL = jnp.array([2, 0, 1])
COLOUR = (32, 32, 3)


def given(name, *shape):
    return jnp.asarray(drawn(f"input/{name}", shape), jnp.float32)


def filled(name, module, *inputs):
    """The module's variables, drawn."""
    shapes = jax.eval_shape(lambda *a: module.init(jax.random.key(0), *a, train=False), *inputs)
    params = jax.tree.map_with_path(
        lambda path, leaf: drawn("/".join([name, *names(path)]), leaf.shape), shapes["params"]
    )
    kernels = {"/".join(names(path)): leaf for path, leaf in jax.tree.leaves_with_path(params)}

    def stat(path, leaf):
        _, *place, last = names(path)
        if last != "u":
            return np.ones(leaf.shape) if last in ("sigma", "var") else np.zeros(leaf.shape)
        owner = "/".join(place[:-1])
        kernel = kernels.get(f"{owner}/kernel", kernels.get(f"{owner}/embedding"))
        return np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), full_matrices=False)[2][0]

    stats = jax.tree.map_with_path(stat, {key: value for key, value in shapes.items() if key != "params"})
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), {"params": params, **stats})


def names(path):
    return [part.key for part in path]


def outputs(name, module, *inputs):
    variables = filled(name, module, *inputs)
    mutable = [key for key in variables if key != "params"]
    return jax.jit(lambda v, *a: module.apply(v, *a, train=True, mutable=mutable)[0])(variables, *inputs)


def compare(found, name):
    expected = np.asarray(EXPECTED[name])
    if found.ndim == 4:
        step = max(found.shape[1] // 5, 1)
        found = found[:, ::step, ::step]
    np.testing.assert_allclose(found, expected, atol=2e-5 * np.abs(expected).max(), err_msg=name)


stages = r3gan.stages_of((8, 4), group=2, blocks=1)
big = biggan.hierarchical((8, 8, 3), 3, 16, 8, 4, (1, 1))
GENERATORS = {
    "sagan": (sngan.Generator(COLOUR, 16, 3, 2, spectral=True), True),
    "sngan": (sngan.Generator(COLOUR, 8), False),
    "dcgan": (dcgan.Generator((64, 64, 3), width=2), False),
    "r3gan": (r3gan.Generator((8, 8, 3), stages, 3, embedding=4), True),
    "biggan": (big[0], True),
}
DISCRIMINATORS = {
    "sagan": (sngan.Discriminator(16, 3, 2), COLOUR, True),
    "sngan": (sngan.Discriminator(8), COLOUR, False),
    "dcgan": (dcgan.Discriminator(width=2), (64, 64, 3), False),
    "r3gan": (r3gan.Discriminator(stages, 3), (8, 8, 3), True),
    "biggan": (big[1], (8, 8, 3), True),
}


@pytest.mark.parametrize("name", GENERATORS)
def test_generators(name):
    module, conditional = GENERATORS[name]
    label = (LABEL,) if conditional else ()
    compare(outputs(f"{name}_generator", module, given("latents", 3, 6), *label), f"{name}_generator")


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_discriminators(name):
    module, shape, conditional = DISCRIMINATORS[name]
    label = (LABEL,) if conditional else ()
    pictures = given("images" if shape == COLOUR else f"images{shape[0]}", 3, *shape)
    compare(outputs(f"{name}_discriminator", module, pictures, *label), f"{name}_discriminator")


def test_vdvae_from_images_to_outputs_and_divergences():
    levels = ((1, 1), (4, 1))
    encoder = ladder.Encoder(levels, width=4, hidden=3)
    decoder = ladder.Decoder(levels, 1, width=4, hidden=3, latents=2)
    seen = outputs("vdvae_encoder", encoder, given("images4", 3, 4, 4, 1))
    noise = tuple(given(f"noise{number}", 3, *shape) for number, shape in enumerate(decoder.latent_shapes))
    found, made = outputs("vdvae_decoder", decoder, seen, noise)
    compare(found, "vdvae")
    compare(jnp.stack([level.sum(axis=-1) for level in kl_of(made)]), "vdvae_kl")
