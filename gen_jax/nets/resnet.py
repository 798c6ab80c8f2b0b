"""Residual blocks of SNGAN, SAGAN and BigGAN, after mimicry's `resblocks.py` and SNGAN's own code.

Activations come before convolutions, and a shortcut gets the block's raw input (mimicry's in-place ReLU hands it a
rectified one; SNGAN's authors do not). Shortcuts are 1×1 convolutions exactly where the width or the size changes.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.nets.layers import BatchNorm, Conv, Dense
from gen_jax.nets.resample import average_down, bilinear_up

Init = Callable[..., jax.Array]
Resample = Callable[[jax.Array], jax.Array]


class Inits(NamedTuple):
    """How kernels start: the 3×3 convolutions of residual branches, and everything else."""

    residual: Init
    other: Init


def xavier(gain: float = 1.0) -> Init:
    """PyTorch's `xavier_uniform_` with a gain."""
    return nn.initializers.variance_scaling(gain**2, "fan_avg", "uniform")


XAVIER = Inits(xavier(2**0.5), xavier())  # SNGAN and mimicry
NORMAL = Inits(nn.initializers.normal(0.02), nn.initializers.normal(0.02))  # BigGAN-PyTorch on CIFAR-10
ORTHOGONAL = Inits(nn.initializers.orthogonal(), nn.initializers.orthogonal())  # the BigGAN paper


class GeneratorBlock(nn.Module):
    """norm-ReLU-up-c3-norm-ReLU-c3 plus up-c1: [B, H, W, C] -> [B, 2H, 2W, features].

    `norm(name=, dtype=)` makes a normalisation that is called as `(x, *condition, train=)`: a plain BatchNorm where
    `condition` is empty, else a conditional one.
    """

    features: int
    norm: Callable[..., nn.Module] = BatchNorm
    up: Resample = bilinear_up
    spectral: bool = False
    inits: Inits = XAVIER
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *condition: jax.Array, train: bool) -> jax.Array:
        def conv3(name: str):
            return Conv(
                self.features, spectral=self.spectral, kernel_init=self.inits.residual, dtype=self.dtype, name=name
            )

        y = nn.relu(self.norm(dtype=self.dtype, name="norm1")(x, *condition, train=train))
        y = conv3("conv1")(self.up(y), train=train)
        y = nn.relu(self.norm(dtype=self.dtype, name="norm2")(y, *condition, train=train))
        y = conv3("conv2")(y, train=train)
        # A 1×1 convolution commutes with interpolation (weights sum to one) and is four times cheaper before it.
        return y + self.up(_shortcut(self, self.features)(x, train=train))


class DiscriminatorBlock(nn.Module):
    """ReLU-c3-ReLU-c3-pool plus c1-pool: [B, H, W, C] -> [B, H/2, W/2, features], or [B, H, W, features].

    `hidden` channels between the convolutions; by default the input's. `first` is the optimised block on pixels:
    c3-ReLU-c3-pool with `features` between, plus pool-c1.
    """

    features: int
    down: bool = True
    first: bool = False
    hidden: int | None = None
    spectral: bool = True
    inits: Inits = XAVIER
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        def conv3(features: int, name: str):
            return Conv(features, spectral=self.spectral, kernel_init=self.inits.residual, dtype=self.dtype, name=name)

        hidden = self.hidden or (self.features if self.first else x.shape[-1])
        y = conv3(hidden, "conv1")(x if self.first else nn.relu(x), train=train)
        y = conv3(self.features, "conv2")(nn.relu(y), train=train)
        if self.down:  # pool-c1 and c1-pool are the same map, the first four times cheaper
            x, y = average_down(x), average_down(y)
        if self.down or x.shape[-1] != self.features:
            x = _shortcut(self, self.features)(x, train=train)
        return x.astype(y.dtype) + y


def _shortcut(block: Any, features: int) -> Dense:
    """A 1×1 convolution, as the matrix product that it is."""
    return Dense(features, spectral=block.spectral, kernel_init=block.inits.other, dtype=block.dtype, name="shortcut")
