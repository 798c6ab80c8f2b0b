"""WaveGAN's networks (Donahue et al. 2019, arXiv:1802.04208): DCGAN in one dimension, kernels of 25, strides of 4, and
phase shuffle. Sounds are [B, T]; T is a base of 16 samples or fewer times 4 for each stage.

A convolution of stride 4 is one of stride 1 between groups of 4 samples, and so is its transpose: kernels of 25, filled
up to 28, become 7 taps of 4 phases. So the fast convolutions of `conv` do them all.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core import keys
from gen_jax.core.errors import UserError
from gen_jax.nets import conv as ops
from gen_jax.nets.layers import Dense, leaky_relu

KERNEL, STRIDE, BASE = 25, 4, 16
TAPS = 7  # of 4 phases each: two of the 28 weights before the 25, one behind, are 0


def stages_of(length: int) -> tuple[int, int]:
    """(stages, base): length = base · 4^stages. UserError where the base cannot be brought to 16 or fewer."""
    base, stages = length, 0
    while base > BASE and base % STRIDE == 0:
        base, stages = base // STRIDE, stages + 1
    if base > BASE or stages < 1:
        raise UserError(
            f"sounds of {length} samples are no multiple of a power of 4 by {BASE} or fewer; give clips of 4096, 8192, "
            "16384, …"
        )
    return stages, base


def _taps(layer: nn.Module, channels: int, features: int) -> jax.Array:
    """The kernel of a layer, [28, channels, features]: its 25 weights, filled up to TAPS of STRIDE phases."""
    kernel = layer.param("kernel", nn.initializers.lecun_normal(), (KERNEL, channels, features))
    return jnp.pad(kernel, ((2, 1), (0, 0), (0, 0)))


class Down(nn.Module):
    """[B, T, C] -> [B, T / 4, features]: a convolution of 25 with stride 4, "SAME"."""

    features: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        count, length, channels = x.shape
        phases = _taps(self, channels, self.features).reshape(1, TAPS, STRIDE * channels, self.features)
        grouped = x.reshape(count, 1, length // STRIDE, STRIDE * channels).astype(self.dtype)
        y = ops.conv(grouped, phases.astype(self.dtype))[:, 0]
        return y + self.param("bias", nn.initializers.zeros, (self.features,)).astype(self.dtype)


class Up(nn.Module):
    """[B, T, C] -> [B, 4T, features]: the transpose of `Down`'s convolution, with a kernel of its own."""

    features: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        count, length, channels = x.shape
        phases = _taps(self, channels, self.features).reshape(TAPS, STRIDE, channels, self.features)[::-1]
        phases = phases.transpose(0, 2, 1, 3).reshape(1, TAPS, channels, STRIDE * self.features)
        y = ops.conv(x[:, None].astype(self.dtype), phases.astype(self.dtype))[:, 0]
        y = y.reshape(count, STRIDE * length, self.features)
        return y + self.param("bias", nn.initializers.zeros, (self.features,)).astype(self.dtype)


class PhaseShuffle(nn.Module):
    """[B, T, C], each example moved by -n to n samples, filled up by reflection: the critic cannot hear the phase."""

    n: int = 2

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        if not train or self.n == 0:
            return x
        most, length = min(self.n, x.shape[1] - 1), x.shape[1]
        shift = keys.draw(
            self.make_rng("dropout"), x.shape[0], lambda key: jax.random.randint(key, (), 0, 2 * most + 1)
        )
        chosen = jax.nn.one_hot(shift, 2 * most + 1, dtype=x.dtype)[:, :, None, None]
        wide = jnp.pad(x, ((0, 0), (most, most), (0, 0)), mode="reflect")
        return sum(chosen[:, each] * wide[:, each : each + length] for each in range(2 * most + 1))  # pyright: ignore[reportReturnType]


class Generator(nn.Module):
    """latents [B, d] -> sounds float32 [B, length] in [-1, 1]. width: channels before the last layer, 64 published."""

    length: int
    width: int = 64
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, latents: jax.Array, *, train: bool) -> jax.Array:
        stages, base = stages_of(self.length)
        width = self.width * 2 ** (stages - 1)
        x = Dense(base * width, dtype=self.dtype, name="latents")(latents).reshape(-1, base, width)
        for stage in range(stages):
            last = stage == stages - 1
            x = Up(1 if last else width // 2 ** (stage + 1), self.dtype, name=f"up{stage}")(nn.relu(x))
        return jnp.tanh(x[..., 0].astype(jnp.float32))


class Discriminator(nn.Module):
    """sounds [B, T] -> logits float32 [B]. shuffle: phase shuffle by up to so many samples, 2 as published."""

    width: int = 64
    shuffle: int = 2
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        stages, _ = stages_of(x.shape[1])
        x = x[..., None]
        for stage in range(stages):
            x = leaky_relu(Down(self.width * 2**stage, self.dtype, name=f"down{stage}")(x))
            if stage < stages - 1:
                x = PhaseShuffle(self.shuffle, name=f"shuffle{stage}")(x, train)
        return Dense(1, name="logit")(x.reshape(x.shape[0], -1).astype(jnp.float32))[:, 0]
