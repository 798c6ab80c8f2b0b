"""Networks that see part of an example. Of images, convolutional: an encoder of any number of channels, and a decoder
beside which the observed part runs, halved and joined at every size (Ronneberger et al. 2015). Of tables, dense:
residual layers, as VAEAC's (Ivanov et al. 2019, appendix). And `Cells`, an answer for every cell (GAIN's networks)."""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.nets.layers import Conv, Dense
from gen_jax.nets.mlp import Trunk


class Encoder(nn.Module):
    """[B, H, W, C], any C -> (mean, log_variance) of a Gaussian, each [B, latent_size]."""

    latent_size: int
    width: int = 32
    stages: int = 2
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> tuple[jax.Array, jax.Array]:
        x = nn.relu(Conv(self.width, 3, dtype=self.dtype)(x))
        for stage in range(self.stages):
            x = nn.relu(Conv(self.width * 2 ** (stage + 1), 3, stride=2, dtype=self.dtype)(x))
        x = Dense(2 * self.latent_size, dtype=self.dtype)(x.reshape(x.shape[0], -1))
        mean, log_variance = jnp.split(x.astype(jnp.float32), 2, axis=-1)
        return mean, log_variance


class Decoder(nn.Module):
    """(latents [B, d], what is observed [B, H, W, C]) -> likelihood outputs [B, H, W, outputs].

    `bounded`: means in [-1, 1], by tanh.
    """

    outputs: int
    width: int = 32
    stages: int = 2
    bounded: bool = False
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, z: jax.Array, condition: jax.Array, *, train: bool) -> jax.Array:
        x = nn.relu(Conv(self.width, 3, dtype=self.dtype)(condition))
        beside = [x]
        for stage in range(self.stages):
            x = nn.relu(Conv(self.width * 2 ** (stage + 1), 3, stride=2, dtype=self.dtype)(x))
            beside.append(x)
        *larger, x = beside
        own = nn.relu(Dense(x[0].size, dtype=self.dtype)(z)).reshape(x.shape)
        x = jnp.concatenate([x, own.astype(x.dtype)], axis=-1)
        for skip in reversed(larger):
            x = jax.image.resize(x, (*skip.shape[:3], x.shape[-1]), "nearest")
            x = nn.relu(Conv(skip.shape[-1], 3, dtype=self.dtype)(jnp.concatenate([x, skip], axis=-1)))
        made = Conv(self.outputs, 3, dtype=self.dtype)(x).astype(jnp.float32)
        return jnp.tanh(made) if self.bounded else made


class DenseTrunk(nn.Module):
    """[B, D] -> [B, width]: a layer, then `depth` residual ones."""

    width: int = 128
    depth: int = 4
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.relu(Dense(self.width, dtype=self.dtype)(x.astype(self.dtype)))
        for _ in range(self.depth):
            x = x + nn.relu(Dense(self.width, dtype=self.dtype)(x))
        return x


class DenseEncoder(nn.Module):
    """[B, D] -> (mean, log_variance) of a Gaussian, each [B, latent_size]."""

    latent_size: int
    width: int = 128
    depth: int = 4
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> tuple[jax.Array, jax.Array]:
        x = DenseTrunk(self.width, self.depth, self.dtype)(x)
        mean, log_variance = jnp.split(Dense(2 * self.latent_size, dtype=self.dtype)(x).astype(jnp.float32), 2, axis=-1)
        return mean, log_variance


class DenseDecoder(nn.Module):
    """(latents [B, d], what is observed [B, 2D]) -> likelihood outputs [B, outputs], unbounded."""

    outputs: int
    width: int = 128
    depth: int = 4
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, z: jax.Array, condition: jax.Array, *, train: bool) -> jax.Array:
        x = DenseTrunk(self.width, self.depth, self.dtype)(jnp.concatenate([z, condition], axis=-1))
        return Dense(self.outputs, dtype=self.dtype)(x).astype(jnp.float32)


class Cells(nn.Module):
    """x and mask side by side, [B, ...] -> one unbounded number for each cell, [B, *shape]."""

    shape: tuple[int, ...]
    widths: Sequence[int] = (128, 128)
    activation: Callable[[jax.Array], jax.Array] = nn.relu
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        x = x.reshape(x.shape[0], -1).astype(self.dtype)
        x, _ = Trunk(self.widths, self.activation, dtype=self.dtype)(x, train)
        return Dense(prod(self.shape), dtype=self.dtype)(x).reshape(-1, *self.shape).astype(jnp.float32)
