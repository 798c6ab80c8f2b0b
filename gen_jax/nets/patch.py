"""pix2pix's discriminator of patches (Isola et al. 2017, arXiv:1611.07004): a logit for each patch of an image beside
the picture that it was made from. Normalised within each example, where the authors' is by batch: an answer is the
example's own."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.nets.layers import Conv, leaky_relu, normal_init
from gen_jax.nets.unet import group_norm


class PatchDiscriminator(nn.Module):
    """x [B, H, W, C], given picture of the same size [B, H, W, K] -> logits float32 [B, h, w], one a patch.

    stages: 4×4 convolutions of stride 2, before two of stride 1: a logit of two sees 34 pixels a side, of three the
    paper's 70 (`patch_size`).
    """

    width: int = 64
    stages: int = 3
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, given: jax.Array, *, train: bool) -> jax.Array:
        x = jnp.concatenate([x, given], axis=-1)
        for stage in range(self.stages + 1):
            last = stage == self.stages
            width = self.width * min(2**stage, 8)
            kernel = normal_init()
            x = Conv(width, 4, 1 if last else 2, dtype=self.dtype, kernel_init=kernel, name=f"stage{stage}")(x)
            x = leaky_relu(x if stage == 0 else group_norm(x, self.dtype, f"norm{stage}"))
        x = Conv(1, 4, dtype=self.dtype, kernel_init=normal_init(), name="logits")(x)
        return x[..., 0].astype(jnp.float32)


def patch_size(stages: int) -> int:
    """Pixels that a logit sees, a side."""
    size = 1
    for stride in (1, 1, *[2] * stages):
        size = (size - 1) * stride + 4
    return size
