"""Path-length regularisation (Karras et al. 2020, arXiv:1912.04958, section 3.2): a step of the styles should change
the image by as much everywhere."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from gen_jax.core import axis
from gen_jax.core.types import Array
from gen_jax.objectives.penalties import norms


def path_lengths(synthesis: Callable[[Array], Array], styles: Array, noise: Array) -> Array:
    """|Jᵀ y| an example, [B], by one backward pass: J of the images in the styles [B, layers, d], y = noise / √(H·W).

    noise: standard normal, as the images [B, H, W, C]. The square is the mean over layers of the sum over d. With the
    paper's y = noise and the norm over all layers, its weight ln 2 / (H² (ln H - ln 2)) is 2 here: H² times 1 / H² of
    y, and log2 H - 1 half the number of layers, which the mean divides by.
    """
    _, pullback = jax.vjp(synthesis, styles)
    height, width = noise.shape[1:3]
    (slopes,) = pullback(noise * (height * width) ** -0.5)
    return norms(slopes * styles.shape[1] ** -0.5)


def path_length_penalty(lengths: Array, mean: Array) -> Array:
    """E (|Jᵀ y| - a)²: a is the moving mean of the lengths."""
    return jnp.mean((lengths - mean) ** 2)


def moved_mean(mean: Array, lengths: Array, rate: float = 0.01) -> Array:
    """The moving mean after a batch of lengths [B]: `rate` of the way to the global batch's mean."""
    return mean + rate * (axis.batch_mean(jax.lax.stop_gradient(lengths)) - mean)
