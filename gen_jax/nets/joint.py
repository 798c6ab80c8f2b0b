"""Discriminators of pairs (image, latents), for BiGAN and ALI (Donahue et al. 2017; Dumoulin et al. 2017)."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.nets import dcgan, mlp
from gen_jax.nets.layers import Dense, Norm, leaky_relu


class Discriminator(nn.Module):
    """(images [B, ...], latents [B, d]) -> logits [B]: the two side by side through a multilayer perceptron."""

    widths: Sequence[int] = (1024, 1024)
    activation: Callable[[jax.Array], jax.Array] = leaky_relu
    norm: Norm | None = None
    dropout: float = 0.0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, latents: jax.Array, *, train: bool) -> jax.Array:
        pair = jnp.concatenate([images.reshape(images.shape[0], -1), latents], axis=-1)
        network = mlp.Discriminator(self.widths, self.activation, self.norm, dropout=self.dropout, dtype=self.dtype)
        return network(pair, train=train)  # pyright: ignore[reportReturnType]


class ConvDiscriminator(nn.Module):
    """(images [B, S, S, C], latents [B, d]) -> logits [B]: DCGAN's convolutions, joined by the latents at the end."""

    width: int = 64
    hidden: int = 512
    norm: Norm | None = dcgan.batch_norm
    dropout: float = 0.0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, latents: jax.Array, *, train: bool) -> jax.Array:
        seen = dcgan.Downsample(self.width, None, self.norm, dropout=self.dropout, dtype=self.dtype)(
            images.astype(self.dtype), train
        )[-1]
        code = leaky_relu(Dense(self.hidden, dtype=self.dtype)(latents))
        pair = jnp.concatenate([seen.reshape(seen.shape[0], -1), code], axis=-1)
        network = mlp.Discriminator((self.hidden, self.hidden), dropout=self.dropout, dtype=self.dtype)
        return network(pair, train=train)  # pyright: ignore[reportReturnType]
