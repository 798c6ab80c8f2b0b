"""Networks of rows of a table: CTGAN's generator and TVAE's decoder (Xu et al. 2019, sections 4.4 and 4.5).

Their partners are `mlp.Discriminator((256, 256), dropout=0.5)` and `mlp.Encoder(128, (128, 128), nn.relu)`.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.nets.layers import BatchNorm, Dense, Initializer
from gen_jax.nets.mlp import GLOROT, Trunk

SPREAD = 0.1  # that TVAE's deviations start from


class Generator(nn.Module):
    """Latents with the condition [B, d] -> raw outputs [B, outputs]: h <- [ReLU(BN(W h)), h], then a linear layer."""

    outputs: int
    widths: Sequence[int] = (256, 256)
    kernel_init: Initializer = GLOROT
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, latents: jax.Array, *, train: bool) -> jax.Array:
        x = latents.astype(self.dtype)
        for width in self.widths:
            made = Dense(width, dtype=self.dtype, kernel_init=self.kernel_init)(x)
            x = jnp.concatenate([nn.relu(BatchNorm(dtype=self.dtype)(made, train=train)), x], axis=-1)
        return Dense(self.outputs, dtype=self.dtype, kernel_init=self.kernel_init)(x).astype(jnp.float32)


class Decoder(nn.Module):
    """Latents [B, d] -> (raw outputs [B, outputs], a deviation of each number [numbers], learned without an input)."""

    outputs: int
    numbers: int
    widths: Sequence[int] = (128, 128)
    kernel_init: Initializer = GLOROT
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, latents: jax.Array, *, train: bool) -> tuple[jax.Array, jax.Array]:
        spread = self.param("spread", nn.initializers.constant(SPREAD), (self.numbers,))
        x, _ = Trunk(self.widths, nn.relu, kernel_init=self.kernel_init, dtype=self.dtype)(
            latents.astype(self.dtype), train
        )
        raw = Dense(self.outputs, dtype=self.dtype, kernel_init=self.kernel_init)(x)
        return raw.astype(jnp.float32), spread
