"""The hierarchy's networks start as VDVAE's do: every residual branch ends small, whatever the depth."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from gen_jax.nets import ladder

KERNEL = (1, 1, 256, 256)


def starts(module, *inputs):
    """{block's name: standard deviation of its last kernel times the root of the fan-in}; no network is made."""
    found = {}

    def look(following, args, kwargs, context):
        if isinstance(context.module, ladder.Block):
            kernel = context.module.last(jax.random.key(0), KERNEL, jnp.float32)
            found[context.module.name] = context.module.residual, float(kernel.std()) * 16
        return following(*args, **kwargs)

    with nn.intercept_methods(look), jax.ensure_compile_time_eval():
        jax.eval_shape(lambda *a: module.init(jax.random.key(0), *a, train=False), *inputs)
    return found


@pytest.mark.parametrize("stages", [((1, 1), (4, 1), (8, 0)), ((1, 2), (4, 3), (8, 4))])
def test_residual_branches_end_small_on_both_sides(stages):
    """A last kernel's deviation is 1 / sqrt(fan-in · blocks), blocks counted on its own side (vdvae's vae.py)."""
    found = starts(ladder.Encoder(stages, width=8, hidden=8), jnp.zeros((1, 8, 8, 1)))
    assert len(found) == sum(max(count, 1) for _, count in stages)
    np.testing.assert_allclose([std for _, std in found.values()], len(found) ** -0.5, rtol=0.02)

    decoder = ladder.Decoder(stages, 1, width=8, hidden=8, latents=2)
    noise = tuple(jnp.zeros((1, *shape)) for shape in decoder.latent_shapes)
    found = starts(decoder, None, noise)
    residual = [std for residual, std in found.values() if residual]
    assert len(residual) == len(noise)
    np.testing.assert_allclose(residual, len(noise) ** -0.5, rtol=0.02)
    assert not any(std for residual, std in found.values() if not residual)  # heads start at 0
