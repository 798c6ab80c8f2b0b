"""Images turned, scaled and shifted a little: what a digit or a garment may undergo and stay what it is.

Unlike `augment`, whose shifts and cuts are for discriminators, this resamples: rotation and scale by bilinear
interpolation, about the centre. What comes in from outside is black (-1).
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
    rows, columns = jnp.meshgrid(*(jnp.arange(n) - (n - 1) / 2 for n in (height, width)), indexing="ij")

    def one(image: jax.Array, draw: jax.Array) -> jax.Array:
        angle, size = draw[0] * degrees * jnp.pi / 180, 1.0 + draw[1] * scale
        cosine, sine = jnp.cos(angle) / size, jnp.sin(angle) / size
        down, right = draw[2] * shift * height, draw[3] * shift * width
        at = (
            cosine * (rows - down) - sine * (columns - right) + (height - 1) / 2,
            sine * (rows - down) + cosine * (columns - right) + (width - 1) / 2,
        )
        return jax.vmap(
            lambda plane: jax.scipy.ndimage.map_coordinates(plane, at, order=1, mode="constant", cval=-1.0),
            in_axes=-1,
            out_axes=-1,
        )(image)

    return jax.vmap(one)(images, draws)
