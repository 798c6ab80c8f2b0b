"""A second head on a discriminator, and a discriminator that is an autoencoder: AC-GAN, InfoGAN, BEGAN."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.nets.layers import Dense, Initializer, leaky_relu, normal_init


class WithHead(nn.Module):
    """Images (and label) -> (logits [B], head [B, outputs]): two answers from the discriminator's last features.

    The discriminator must know `features=True`. It is never told the label, which an AC-GAN's has to find out
    (Odena et al. 2017). hidden: width of a layer between (InfoGAN's Q has 128).
    """

    discriminator: nn.Module
    outputs: int
    hidden: int | None = None
    kernel_init: Initializer = normal_init(0.02)
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, label: jax.Array | None = None, *, train: bool) -> tuple[jax.Array, jax.Array]:
        logits, hidden = self.discriminator(x, train=train, features=True)  # pyright: ignore[reportCallIssue]
        top = hidden[-1].reshape(x.shape[0], -1)
        if self.hidden:
            top = leaky_relu(Dense(self.hidden, dtype=self.dtype, kernel_init=self.kernel_init)(top))
        head = Dense(self.outputs, dtype=self.dtype, kernel_init=self.kernel_init)(top)
        return logits, head.astype(jnp.float32)


class Reconstructs(nn.Module):
    """BEGAN's discriminator (Berthelot et al. 2017): images -> minus the mean |x - D(x)| of each, [B].

    `encoder` gives (code [B, d], ignored); `decoder` gives [B, ...] like the images.
    """

    encoder: nn.Module
    decoder: nn.Module

    @nn.compact
    def __call__(self, x: jax.Array, label: jax.Array | None = None, *, train: bool) -> jax.Array:
        code, _ = self.encoder(x, train=train)  # pyright: ignore[reportCallIssue]
        decoded = self.decoder(code, train=train)  # pyright: ignore[reportCallIssue]
        return -jnp.mean(jnp.abs(x - decoded), axis=tuple(range(1, x.ndim)))
