"""Layers that stay the same layer on every backend and platform, in float32 or bfloat16.

Convolutions choose their program by platform, BatchNorm finds the data axis, Dropout draws one stream an example.
Parameters are always float32; `dtype=jnp.bfloat16` computes in bfloat16, except for statistics.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core import axis, keys, platform
from gen_jax.core.errors import UserError
from gen_jax.nets import batch_norm
from gen_jax.nets import conv as ops
from gen_jax.nets.spectral import SpectralNorm

Initializer: TypeAlias = Callable[..., jax.Array]  # (key, shape, dtype) -> array
Norm: TypeAlias = Callable[..., nn.Module]  # norm(dtype=...)(x, train=...) -> x: BatchNorm, LayerNorm


def normal_init(scale: float = 0.02, mean: float = 0.0) -> Initializer:
    """N(mean, scale²): DCGAN's kernels are N(0, .02), its BatchNorm scales N(1, .02) (Radford et al. 2016)."""
    return lambda key, shape, dtype=jnp.float32: mean + scale * jax.random.normal(key, shape, dtype)


def leaky_relu(x: jax.Array) -> jax.Array:
    """max(x, 0.2 x), the slope of every DCGAN descendant."""
    return nn.leaky_relu(x, 0.2)


class Dense(nn.Module):
    """[..., in] -> [..., features]. `spectral` divides the kernel by its largest singular value."""

    features: int
    use_bias: bool = True
    spectral: bool = False
    dtype: Any = jnp.float32
    kernel_init: Initializer = nn.initializers.lecun_normal()
    bias_init: Initializer = nn.initializers.zeros_init()

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        kernel = self.param("kernel", self.kernel_init, (x.shape[-1], self.features))
        if self.spectral:
            kernel = SpectralNorm(name="spectral")(kernel, train)
        y = x.astype(self.dtype) @ kernel.astype(self.dtype)
        return y + self.param("bias", self.bias_init, (self.features,)).astype(self.dtype) if self.use_bias else y


class Conv(nn.Module):
    """[B, H, W, in] -> [B, ceil(H/s), ceil(W/s), features], "SAME" padding; kernel [k, k, in, features]."""

    features: int
    kernel_size: int = 3
    stride: int = 1
    use_bias: bool = True
    spectral: bool = False
    dtype: Any = jnp.float32
    kernel_init: Initializer = nn.initializers.lecun_normal()
    bias_init: Initializer = nn.initializers.zeros_init()

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape)
        if self.spectral:
            kernel = SpectralNorm(name="spectral")(kernel, train)
        y = ops.conv(x.astype(self.dtype), kernel.astype(self.dtype), self.stride)
        return y + self.param("bias", self.bias_init, (self.features,)).astype(self.dtype) if self.use_bias else y


class ConvTranspose(nn.Module):
    """[B, H, W, in] -> [B, sH, sW, features]; kernel [k, k, features, in], as PyTorch's, permuted by (2, 3, 1, 0).

    The initialiser is asked for [k, k, in, features], so that one that counts its inputs counts the right ones.
    """

    features: int
    kernel_size: int = 4
    stride: int = 2
    use_bias: bool = True
    spectral: bool = False
    dtype: Any = jnp.float32
    kernel_init: Initializer = nn.initializers.lecun_normal()
    bias_init: Initializer = nn.initializers.zeros_init()

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
        kernel = self.param("kernel", lambda key: self.kernel_init(key, shape).swapaxes(2, 3))
        if self.spectral:
            kernel = SpectralNorm(name="spectral")(kernel.swapaxes(2, 3), train).swapaxes(2, 3)
        y = ops.conv_transpose(x.astype(self.dtype), kernel.astype(self.dtype), self.stride)
        return y + self.param("bias", self.bias_init, (self.features,)).astype(self.dtype) if self.use_bias else y


class BatchNorm(nn.Module):
    """Batch normalisation over the *global* batch on every backend (Ioffe & Szegedy 2015), PyTorch's constants.

    Statistics are float32 whatever `dtype`; running variance is the biased one, where PyTorch keeps the unbiased. The
    arithmetic is Flax's on a CPU and that of `batch_norm` elsewhere, which is the same up to rounding.
    """

    dtype: Any = jnp.float32
    scale_init: Initializer = nn.initializers.ones_init()
    momentum: float = 0.9  # the share of the old average that stays: PyTorch's momentum 0.1
    epsilon: float = 1e-5
    use_scale: bool = True

    def setup(self):
        options = {
            "dtype": self.dtype,
            "scale_init": self.scale_init,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "use_scale": self.use_scale,
        }
        if platform.accelerated():
            self.norm = batch_norm.BatchNorm(**options)
        else:
            self.norm = nn.BatchNorm(axis_name=axis.name(), **options)
        nn.share_scope(self, self.norm)

    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        return self.norm(x, use_running_average=not train)


class LayerNorm(nn.Module):
    """Normalisation of each example over all its features, one scale and bias a channel: for critics with a gradient
    penalty, which BatchNorm would tie to one another (Gulrajani et al. 2017, section 4)."""

    dtype: Any = jnp.float32
    scale_init: Initializer = nn.initializers.ones_init()

    def setup(self):
        self.norm = nn.GroupNorm(num_groups=1, epsilon=1e-5, dtype=self.dtype, scale_init=self.scale_init)
        nn.share_scope(self, self.norm)

    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        return self.norm(x)


class Dropout(nn.Module):
    """Inverted dropout with one mask stream a global example, so that the masks do not depend on the layout."""

    rate: float

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        if not 0 <= self.rate < 1:
            raise UserError(f"dropout drops a share of units from 0 up to, but not including, 1: got {self.rate}")
        if not train or self.rate == 0:
            return x
        key = self.make_rng("dropout")
        keep = keys.draw(key, x.shape[0], lambda k: jax.random.bernoulli(k, 1 - self.rate, x.shape[1:]))
        return jnp.where(keep, x / (1 - self.rate), jnp.zeros((), x.dtype)).astype(x.dtype)


def one_hot(label: jax.Array | None, classes: int | None) -> jax.Array | None:
    """Labels int32 [B] -> float32 [B, classes], or None for an unconditional network.

    UserError where the network is conditional but no label came, or the other way about.
    """
    if (label is None) != (classes is None):
        got = "no label" if label is None else "a label"
        raise UserError(f"a network with classes={classes} got {got}: set classes and pass labels together, or neither")
    return None if label is None or classes is None else jax.nn.one_hot(label, classes)


def with_label(x: jax.Array, label: jax.Array | None, classes: int | None) -> jax.Array:
    """x with the one-hot label as further features: appended to vectors [B, D], as constant maps to [B, H, W, C]."""
    code = one_hot(label, classes)
    if code is None:
        return x
    code = code.reshape(code.shape[0], *[1] * (x.ndim - 2), code.shape[1]).astype(x.dtype)
    return jnp.concatenate([x, jnp.broadcast_to(code, (*x.shape[:-1], code.shape[-1]))], axis=-1)
