"""Fully connected generator, discriminator, encoder and decoder, for points [D] and images of any shape.

PacGAN's networks for rings and grids are `Generator((2,), (400,) * 4, norm=BatchNorm, kernel_init=normal_init())` and
`Discriminator((200,) * 3, maxout_pieces=5, kernel_init=normal_init())` (Lin et al. 2018); IWAE's are `Encoder(50)` and
`Decoder((28, 28, 1))` with their defaults (Burda et al. 2016: 200-200, tanh).
"""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.nets.layers import Dense, Dropout, Initializer, Norm, leaky_relu, with_label

GLOROT = nn.initializers.glorot_uniform()


class Trunk(nn.Module):
    """[B, D] -> [B, widths[-1]]: layers of dense, normalisation (then without bias), activation or maxout, dropout."""

    widths: Sequence[int]
    activation: Callable[[jax.Array], jax.Array]
    norm: Norm | None = None
    maxout_pieces: int | None = None  # each unit is the largest of so many, in place of the activation
    dropout: float = 0.0
    spectral: bool = False
    kernel_init: Initializer = GLOROT
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> tuple[jax.Array, tuple[jax.Array, ...]]:
        hidden = []
        for width in self.widths:
            x = Dense(
                width * (self.maxout_pieces or 1),
                use_bias=self.norm is None,
                spectral=self.spectral,
                dtype=self.dtype,
                kernel_init=self.kernel_init,
            )(x, train=train)
            if self.norm is not None:
                x = self.norm(dtype=self.dtype)(x, train=train)
            if self.maxout_pieces:
                x = x.reshape(x.shape[0], width, self.maxout_pieces).max(axis=-1)
            else:
                x = self.activation(x)
            x = Dropout(self.dropout)(x, train=train)
            hidden.append(x)
        return x, tuple(hidden)


def _flat(x: jax.Array, dtype: Any) -> jax.Array:
    return x.reshape(x.shape[0], -1).astype(dtype)


class Generator(nn.Module):
    """Latents [B, d] (and label [B]) -> [B, *shape]. Images end in tanh; points, of one axis, are left as they are."""

    shape: tuple[int, ...]
    widths: Sequence[int] = (256, 512)
    activation: Callable[[jax.Array], jax.Array] = nn.relu
    norm: Norm | None = None
    classes: int | None = None
    kernel_init: Initializer = GLOROT
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, latents: jax.Array, label: jax.Array | None = None, *, train: bool) -> jax.Array:
        x = with_label(latents, label, self.classes).astype(self.dtype)
        x, _ = Trunk(self.widths, self.activation, self.norm, kernel_init=self.kernel_init, dtype=self.dtype)(x, train)
        x = Dense(prod(self.shape), kernel_init=self.kernel_init, dtype=self.dtype)(x)
        x = x.reshape(-1, *self.shape).astype(jnp.float32)
        return x if len(self.shape) == 1 else jnp.tanh(x)


class Discriminator(nn.Module):
    """Points or images [B, ...] (and label [B]) -> logits [B]; with `features`, (logits, hidden layers [B, width])."""

    widths: Sequence[int] = (512, 256)
    activation: Callable[[jax.Array], jax.Array] = leaky_relu
    norm: Norm | None = None
    maxout_pieces: int | None = None
    dropout: float = 0.0
    spectral: bool = False
    classes: int | None = None
    kernel_init: Initializer = GLOROT
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, label: jax.Array | None = None, *, train: bool, features: bool = False):
        x = with_label(_flat(x, self.dtype), label, self.classes)
        x, hidden = Trunk(
            self.widths,
            self.activation,
            self.norm,
            self.maxout_pieces,
            self.dropout,
            self.spectral,
            self.kernel_init,
            self.dtype,
        )(x, train)
        logits = Dense(1, spectral=self.spectral, kernel_init=self.kernel_init, dtype=self.dtype)(x, train=train)
        logits = logits[:, 0].astype(jnp.float32)
        return (logits, hidden) if features else logits


class Encoder(nn.Module):
    """Points or images [B, ...] (and label [B]) -> (mean, log_variance) of a Gaussian, each [B, latent_size]."""

    latent_size: int
    widths: Sequence[int] = (200, 200)
    activation: Callable[[jax.Array], jax.Array] = nn.tanh
    norm: Norm | None = None
    classes: int | None = None
    kernel_init: Initializer = GLOROT
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, label: jax.Array | None = None, *, train: bool) -> tuple[jax.Array, jax.Array]:
        x = with_label(_flat(x, self.dtype), label, self.classes)
        x, _ = Trunk(self.widths, self.activation, self.norm, kernel_init=self.kernel_init, dtype=self.dtype)(x, train)
        x = Dense(2 * self.latent_size, kernel_init=self.kernel_init, dtype=self.dtype)(x).astype(jnp.float32)
        mean, log_variance = jnp.split(x, 2, axis=-1)
        return mean, log_variance


class Decoder(nn.Module):
    """Latents [B, d] (and label [B]) -> the likelihood's parameters [B, *shape[:-1], outputs].

    outputs: numbers a pixel, by default as many as the image has channels. `bias_init` is the output layer's: IWAE
    starts it at the logit of the training set's mean image. `bounded`: means in [-1, 1], by tanh.
    """

    shape: tuple[int, ...]
    outputs: int | None = None
    widths: Sequence[int] = (200, 200)
    activation: Callable[[jax.Array], jax.Array] = nn.tanh
    norm: Norm | None = None
    classes: int | None = None
    kernel_init: Initializer = GLOROT
    bias_init: Initializer = nn.initializers.zeros_init()
    bounded: bool = False
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, latents: jax.Array, label: jax.Array | None = None, *, train: bool) -> jax.Array:
        shape = (*self.shape[:-1], self.outputs or self.shape[-1])
        x = with_label(latents, label, self.classes).astype(self.dtype)
        x, _ = Trunk(self.widths, self.activation, self.norm, kernel_init=self.kernel_init, dtype=self.dtype)(x, train)
        x = Dense(prod(shape), kernel_init=self.kernel_init, bias_init=self.bias_init, dtype=self.dtype)(x)
        made = x.reshape(-1, *shape).astype(jnp.float32)
        return jnp.tanh(made) if self.bounded else made
