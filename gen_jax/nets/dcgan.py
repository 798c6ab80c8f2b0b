"""The DCGAN family (Radford et al. 2016): 4×4 stride-2 convolutions, for square images of 8 to 128 pixels.

At 64 pixels and width 64 these are PyTorch's example, layer for layer. Other sizes keep the pattern: each stage halves
the image until 4 to 7 pixels are left, and what a generator makes too large is cut at the borders. Kernels start at
N(0, .02), BatchNorm scales at N(1, .02); a layer before BatchNorm has no bias, whose true gradient would be zero.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core.errors import UserError
from gen_jax.nets.layers import (
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    Dropout,
    Initializer,
    Norm,
    leaky_relu,
    normal_init,
    with_label,
)
from gen_jax.nets.minibatch import minibatch_stddev
from gen_jax.nets.of_images import need_images

SMALLEST, LARGEST = 8, 128
KERNEL = normal_init(0.02)
batch_norm = partial(BatchNorm, scale_init=normal_init(0.02, mean=1.0))


def stages(size: int, depth: int | None = None) -> tuple[int, int]:
    """(number of stages, pixels of the smallest map) for images of `size`.

    By default as many halvings as leave 4 to 7 pixels. UserError for a size outside 8 to 128, or for a `depth` that
    would leave less than 2.
    """
    if not SMALLEST <= size <= LARGEST:
        raise UserError(f"DCGAN networks take images of {SMALLEST} to {LARGEST} pixels, not {size}: resize the images")
    if depth is None:
        depth = next(k for k in range(1, 8) if -(-size // 2**k) <= 7)
    most = (size - 1).bit_length() - 1
    if not 1 <= depth <= most:
        raise UserError(f"depth={depth} does not fit images of {size} pixels: a depth of 1 to {most} would")
    return depth, -(-size // 2**depth)


def _square(shape: tuple[int, ...]) -> int:
    need_images(shape, "DCGAN networks are")
    if len(shape) != 3 or shape[0] != shape[1]:
        given = "×".join(map(str, shape))
        raise UserError(f"DCGAN networks need square images [size, size, channels], not {given}: crop, or use mlp")
    return shape[0]


def _grey_or_colour(channels: int) -> None:
    if channels not in (1, 3):
        raise UserError(f"DCGAN networks need images of 1 or 3 channels, not {channels}: convert the images")


class Downsample(nn.Module):
    """Images [B, S, S, C] -> the activations of every stage, [B, S/2, S/2, width] … [B, base, base, width·2^(k-1)]."""

    width: int
    depth: int | None
    norm: Norm | None
    activation: Callable[[jax.Array], jax.Array] = leaky_relu
    dropout: float = 0.0
    spectral: bool = False
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> tuple[jax.Array, ...]:
        depth, _ = stages(_square(x.shape[1:]), self.depth)
        hidden = []
        for stage in range(depth):
            x = Conv(
                self.width * 2**stage,
                kernel_size=4,
                stride=2,
                use_bias=self.norm is None,
                spectral=self.spectral,
                dtype=self.dtype,
                kernel_init=KERNEL,
            )(x, train=train)
            if self.norm is not None and stage > 0:  # the first layer sees pixels, whose scale is known
                x = self.norm(dtype=self.dtype)(x, train=train)
            x = Dropout(self.dropout)(self.activation(x), train=train)
            hidden.append(x)
        return tuple(hidden)


class Upsample(nn.Module):
    """Vectors [B, d] -> [B, size, size, outputs] float32, unbounded."""

    size: int
    outputs: int
    width: int
    depth: int | None
    norm: Norm | None
    output_bias: bool
    activation: Callable[[jax.Array], jax.Array] = nn.relu
    bias_init: Initializer = nn.initializers.zeros_init()
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        depth, base = stages(self.size, self.depth)
        common = {"dtype": self.dtype, "kernel_init": KERNEL}
        widths = [self.width * 2**stage for stage in reversed(range(depth))]
        # A 4×4 transposed convolution of one pixel is a dense layer, as PyTorch's first one is.
        x = Dense(base * base * widths[0], use_bias=self.norm is None, **common)(x.astype(self.dtype))
        x = x.reshape(x.shape[0], base, base, widths[0])
        for width in [*widths[1:], None]:
            if self.norm is not None:
                x = self.norm(dtype=self.dtype)(x, train=train)
            x = self.activation(x)
            if width is not None:
                x = ConvTranspose(width, use_bias=self.norm is None, **common)(x)
        x = ConvTranspose(self.outputs, use_bias=self.output_bias, bias_init=self.bias_init, **common)(x)
        edge = (x.shape[1] - self.size) // 2
        return x[:, edge : edge + self.size, edge : edge + self.size].astype(jnp.float32)


class Generator(nn.Module):
    """Latents [B, d] (and label [B]) -> images [B, *shape] in [-1, 1]. UserError for a shape it cannot make."""

    shape: tuple[int, ...]
    width: int = 64  # channels before the last layer; doubled at each smaller stage
    depth: int | None = None
    norm: Norm | None = batch_norm
    classes: int | None = None
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, latents: jax.Array, label: jax.Array | None = None, *, train: bool) -> jax.Array:
        size = _square(self.shape)
        _grey_or_colour(self.shape[-1])
        x = with_label(latents, label, self.classes)
        x = Upsample(size, self.shape[-1], self.width, self.depth, self.norm, self.norm is None, dtype=self.dtype)(
            x, train
        )
        return jnp.tanh(x)


class Discriminator(nn.Module):
    """Images [B, S, S, C] (and label [B]) -> logits [B]; with `features`, (logits, activations of every stage).

    Any number of channels will do: it may be shown several images, packed along them. UserError for other shapes.
    """

    width: int = 64
    depth: int | None = None
    norm: Norm | None = batch_norm  # LayerNorm or None with a gradient penalty
    dropout: float = 0.0
    spectral: bool = False
    classes: int | None = None
    stddev_group: int | None = None  # rows of a group whose standard deviation the last layer sees (4 in the papers)
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, label: jax.Array | None = None, *, train: bool, features: bool = False):
        _square(x.shape[1:])
        x = with_label(x.astype(self.dtype), label, self.classes)
        hidden = Downsample(
            self.width,
            self.depth,
            self.norm,
            dropout=self.dropout,
            spectral=self.spectral,
            dtype=self.dtype,
        )(x, train)
        top = hidden[-1]
        if self.stddev_group:
            # Held-out batches have any size: there a group is what both share.
            group = self.stddev_group if train else math.gcd(self.stddev_group, x.shape[0])
            top = minibatch_stddev(top, group)
        # A 4×4 convolution of the last 4×4 map is a dense layer; PyTorch's has no bias.
        flat = top.reshape(x.shape[0], -1)
        head = Dense(1, use_bias=self.norm is None, spectral=self.spectral, dtype=self.dtype, kernel_init=KERNEL)
        logits = head(flat, train=train)[:, 0].astype(jnp.float32)
        return (logits, hidden) if features else logits


class Encoder(nn.Module):
    """Images [B, S, S, 1 or 3] (and label [B]) -> (mean, log_variance) of a Gaussian, each [B, latent_size]."""

    latent_size: int
    width: int = 64
    depth: int | None = None
    norm: Norm | None = batch_norm
    classes: int | None = None
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, label: jax.Array | None = None, *, train: bool) -> tuple[jax.Array, jax.Array]:
        _square(x.shape[1:])
        _grey_or_colour(x.shape[-1])
        x = with_label(x.astype(self.dtype), label, self.classes)
        hidden = Downsample(self.width, self.depth, self.norm, dtype=self.dtype)(x, train)
        flat = hidden[-1].reshape(x.shape[0], -1)
        posterior = Dense(2 * self.latent_size, dtype=self.dtype, kernel_init=KERNEL)(flat).astype(jnp.float32)
        mean, log_variance = jnp.split(posterior, 2, axis=-1)
        return mean, log_variance


class Decoder(nn.Module):
    """Latents [B, d] (and label [B]) -> the likelihood's parameters [B, S, S, outputs], unbounded.

    outputs: numbers a pixel, by default as many as the image has channels. UserError for a shape it cannot make.
    `bounded`: images in [-1, 1], by tanh, for whom a discriminator judges: it tells a black that is only nearly black.
    `bias_init` is the output layer's. From 0, images that are nearly all black are learnt by weights that pull down
    alone: what should be white is then 0 in every unit, and only the bias can lift it. From the logit of the mean
    brightness (`data.brightness`) weights have to pull both ways.
    """

    shape: tuple[int, ...]
    outputs: int | None = None
    width: int = 64
    depth: int | None = None
    norm: Norm | None = batch_norm
    classes: int | None = None
    bias_init: Initializer = nn.initializers.zeros_init()
    bounded: bool = False
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, latents: jax.Array, label: jax.Array | None = None, *, train: bool) -> jax.Array:
        size = _square(self.shape)
        _grey_or_colour(self.shape[-1])
        x = with_label(latents, label, self.classes)
        outputs = self.outputs or self.shape[-1]
        made = Upsample(
            size, outputs, self.width, self.depth, self.norm, True, bias_init=self.bias_init, dtype=self.dtype
        )(x, train)
        return jnp.tanh(made) if self.bounded else made
