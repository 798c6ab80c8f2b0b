"""Classifiers: multilayer perceptron, DCGAN's convolutions, and the two networks of Salimans et al. 2016 for digits.

openai/improved-gan, train_mnist_feature_matching.py: D has weight-normalised layers 1000-500-250-250-250 with Gaussian
noise of .3 on its input and .5 before each further layer; G 500-500 with softplus and BatchNorm without a scale, and a
last layer of unit-norm rows. Here G ends in tanh, for images in [-1, 1], and noise on the input is doubled with the
range (.6); D's scales start at 1 and its biases at 0, where the authors fit both to the first batch.
"""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core import keys
from gen_jax.nets import dcgan
from gen_jax.nets.layers import BatchNorm, Dense, Dropout, Norm, normal_init
from gen_jax.nets.mlp import GLOROT, Trunk


class Classifier(nn.Module):
    """Points or images [B, ...] -> class logits [B, classes]: a multilayer perceptron."""

    classes: int
    widths: Sequence[int] = (500,)
    activation: Callable[[jax.Array], jax.Array] = nn.softplus
    norm: Norm | None = None
    dropout: float = 0.0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        x = x.reshape(x.shape[0], -1).astype(self.dtype)
        x, _ = Trunk(self.widths, self.activation, self.norm, dropout=self.dropout, dtype=self.dtype)(x, train)
        return Dense(self.classes, dtype=self.dtype, kernel_init=GLOROT)(x).astype(jnp.float32)


class ConvClassifier(nn.Module):
    """Images [B, S, S, C] -> class logits [B, classes]: DCGAN's discriminator with an output for each class."""

    classes: int
    width: int = 32
    dropout: float = 0.0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        norm = dcgan.batch_norm
        top = dcgan.Downsample(self.width, None, norm, dropout=self.dropout, dtype=self.dtype)(x, train)[-1]
        flat = Dropout(self.dropout)(top.reshape(x.shape[0], -1), train)
        return Dense(self.classes, dtype=self.dtype, kernel_init=dcgan.KERNEL)(flat).astype(jnp.float32)


class Noise(nn.Module):
    """Adds N(0, deviation²) in training, one stream a global example."""

    deviation: float

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        if not train or self.deviation == 0:
            return x
        noise = keys.normal(self.make_rng("dropout"), x.shape[0], *x.shape[1:])
        return x + (self.deviation * noise).astype(x.dtype)


class WeightNormDense(nn.Module):
    """[B, in] -> [B, features] by kernels of norm `scale`, one a unit (Salimans & Kingma 2016): 1, or `learned`."""

    features: int
    learned: bool = False
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        kernel = self.param("kernel", normal_init(0.1), (x.shape[-1], self.features))
        kernel = kernel / jnp.sqrt((kernel**2).sum(axis=0) + 1e-8)
        if self.learned:
            kernel = kernel * self.param("scale", nn.initializers.ones_init(), (self.features,))
        bias = self.param("bias", nn.initializers.zeros_init(), (self.features,))
        return x.astype(self.dtype) @ kernel.astype(self.dtype) + bias.astype(self.dtype)


class NoisyDiscriminator(nn.Module):
    """Images [B, ...] -> (class logits [B, classes], features [B, widths[-1]])."""

    classes: int
    widths: Sequence[int] = (1000, 500, 250, 250, 250)
    input_noise: float = 0.6
    hidden_noise: float = 0.5
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> tuple[jax.Array, jax.Array]:
        x, noise = x.reshape(x.shape[0], -1).astype(self.dtype), self.input_noise
        for width in self.widths:
            x = nn.relu(WeightNormDense(width, dtype=self.dtype)(Noise(noise)(x, train)))
            noise = self.hidden_noise
        logits = WeightNormDense(self.classes, learned=True, dtype=self.dtype)(Noise(noise)(x, train))
        return logits.astype(jnp.float32), x.astype(jnp.float32)


class SoftplusGenerator(nn.Module):
    """Latents [B, d] -> images [B, *shape] in [-1, 1]."""

    shape: tuple[int, ...]
    widths: Sequence[int] = (500, 500)
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, latents: jax.Array, *, train: bool) -> jax.Array:
        x = latents.astype(self.dtype)
        for width in self.widths:
            x = Dense(width, use_bias=False, dtype=self.dtype, kernel_init=GLOROT)(x)
            x = nn.softplus(BatchNorm(dtype=self.dtype, use_scale=False)(x, train=train))
        x = WeightNormDense(prod(self.shape), learned=True, dtype=self.dtype)(x)
        return jnp.tanh(x.reshape(-1, *self.shape).astype(jnp.float32))
