"""Images turned, scaled and shifted a little: what a digit or a garment may undergo and stay what it is.

Unlike `augment`, whose shifts and cuts are for discriminators, this resamples, in two passes of linear interpolation,
along rows and along columns (Catmull & Smith 1980): sums over a row, where a CPU would gather pixel by pixel. What
comes in from outside is black (-1).
"""

import jax
import jax.numpy as jnp

from gen_jax.core import keys


def jitter(
    images: jax.Array, key: jax.Array, degrees: float = 15.0, scale: float = 0.1, shift: float = 0.07
) -> jax.Array:
    """[B, H, W, C] in [-1, 1] -> the same shape: each turned by up to ±degrees, scaled by 1 ± scale and shifted by up
    to ±shift of its sides, uniformly and each by its own draw."""
    height, width = images.shape[1:3]
    draws = keys.uniform(keys.named(key, "jitter"), images.shape[0], 4, minval=-1.0, maxval=1.0)
    angle, size, down, right = jax.lax.optimization_barrier(draws).T[:, :, None, None]  # [B, 1, 1] each
    angle, size = angle * degrees * jnp.pi / 180, 1.0 + size * scale
    cosine, sine = jnp.cos(angle) / size, jnp.sin(angle) / size
    down, right = down * shift * height, right * shift * width
    rows, columns = jnp.meshgrid(*(jnp.arange(n) - (n - 1) / 2 for n in (height, width)), indexing="ij")  # [H, W]
    # Place (r, c) shows what was at (cosine r - sine c, sine r + cosine c): first its row is found, then its column.
    row_at = cosine * (rows - down) - sine * (columns - right)
    behind = (rows + sine * (columns - right)) / cosine  # the r - down that shows row `rows` in this column
    column_at = sine * behind + cosine * (columns - right)
    light = images + 1.0  # nothing outside
    light = jnp.einsum("bicj,bijk->bick", _linear(column_at, width), light)
    return jnp.einsum("brci,bick->brck", _linear(row_at, height), light) - 1.0


def _linear(at: jax.Array, size: int) -> jax.Array:
    """Weights [..., size] of the pixels about a position that is counted from the centre, [...]."""
    return jax.nn.relu(1.0 - jnp.abs(at[..., None] + (size - 1) / 2 - jnp.arange(size)))
