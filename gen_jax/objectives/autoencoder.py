"""Regularised deterministic autoencoders (Ghosh et al. 2020): a penalty on the code, and one on the decoder.

The loss is reconstruction + β · `latent_l2` + λ · (weight decay | `decoder_gradient_penalty` | spectral norm).
Weight decay (RAE-L2) is the optimizer's, spectral normalisation (RAE-SN) the decoder network's; the density that is
sampled from is fitted to the codes (`priors.gaussian_mixture`).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from gen_jax.core import keys


def latent_l2(latents: jax.Array) -> jax.Array:
    """½ |z|², [B, ..., d] -> [B]: what is left of the KL at a constant variance (Ghosh et al. 2020, eq. 4)."""
    return 0.5 * jnp.sum(latents**2, axis=tuple(range(1, latents.ndim)))


def decoder_gradient_penalty(decode: Callable[[jax.Array], jax.Array], latents: jax.Array, key: jax.Array) -> jax.Array:
    """½ |∂decode/∂z|² (squared Frobenius norm), [B, d] -> [B], unbiased: RAE-GP (Ghosh et al. 2020, eq. 7).

    Hutchinson: one forward-mode product J v with v ~ N(0, I) for each example, whose squared length has mean |J|².
    `decode` must treat examples independently (no batch normalisation in training mode).
    """
    direction = keys.normal(keys.named(key, "gradient_penalty"), latents.shape[0], *latents.shape[1:])
    _, moved = jax.jvp(decode, (latents,), (direction,))
    return 0.5 * jnp.sum(moved**2, axis=tuple(range(1, moved.ndim)))
