"""Layers with an equalised learning rate (Karras et al. 2018, arXiv:1710.10196): parameters start at N(0, 1) and are
divided by the root of their fan-in where they are used, so that an optimizer's steps are as large for every layer."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.nets import conv as ops
from gen_jax.nets.layers import leaky_relu
from gen_jax.nets.resample import fir_blur


def activate(x: jax.Array) -> jax.Array:
    """Leaky ReLU of slope .2 times √2, which keeps the variance of what is positive."""
    return leaky_relu(x) * 2**0.5


def scaled_kernel(module: nn.Module, shape: tuple[int, ...], rate: float = 1.0) -> jax.Array:
    """The module's parameter "kernel" [..., in, out], N(0, 1 / rate²), times rate / √(fan-in).

    `rate` times as large a step in what is used, for the same step of the optimizer.
    """
    fan_in = 1
    for extent in shape[:-1]:
        fan_in *= extent
    return module.param("kernel", nn.initializers.normal(1 / rate), shape) * (rate * fan_in**-0.5)


class Dense(nn.Module):
    """[B, in] -> float32 [B, features]. bias_init: what the bias starts at; rate: see `scaled_kernel`."""

    features: int
    rate: float = 1.0
    bias_init: float = 0.0

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        kernel = scaled_kernel(self, (x.shape[-1], self.features), self.rate)
        bias = self.param("bias", nn.initializers.constant(self.bias_init / self.rate), (self.features,))
        return x.astype(jnp.float32) @ kernel + self.rate * bias


class Conv(nn.Module):
    """[B, H, W, in] -> [B, H, W, features]; with `down` blurred and every second pixel, [B, H/2, W/2, features]."""

    features: int
    kernel_size: int = 3
    down: bool = False
    use_bias: bool = True
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        kernel = scaled_kernel(self, (self.kernel_size, self.kernel_size, x.shape[-1], self.features))
        x = fir_blur(x.astype(self.dtype), before=2) if self.down else x.astype(self.dtype)
        y = ops.conv(x, kernel.astype(self.dtype), 2 if self.down else 1)
        return y + self.param("bias", nn.initializers.zeros, (self.features,)).astype(y.dtype) if self.use_bias else y
