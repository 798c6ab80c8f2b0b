"""Masked autoregressive networks for flows (MADE, Germain et al. 2015) and the plain network of a coupling layer."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from gen_jax.nets.layers import Dense


class Made(nn.Module):
    """z [N, d] (and context [N, c]) -> (shift, log_scale), each [N, d], whose j-th entries see z before j only.

    masks: weight masks [fan_in, fan_out] of each layer, from `objectives.flows.made_masks`. The context enters the
    first hidden layer. The last layer starts at zero, so that a flow starts near the identity.
    """

    masks: Sequence[np.ndarray]
    activation: Callable[[jax.Array], jax.Array] = nn.relu
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, z: jax.Array, context: jax.Array | None = None, *, train: bool) -> tuple[jax.Array, jax.Array]:
        x, last = z, len(self.masks) - 1
        for number, mask in enumerate(self.masks):
            start = nn.initializers.zeros_init() if number == last else nn.initializers.lecun_normal()
            kernel = self.param(f"kernel_{number}", start, mask.shape) * mask
            bias = self.param(f"bias_{number}", nn.initializers.zeros_init(), mask.shape[1:])
            x = (x.astype(self.dtype) @ kernel.astype(self.dtype)).astype(jnp.float32) + bias
            if number == 0 and context is not None:
                x = x + Dense(mask.shape[1], use_bias=False, dtype=self.dtype, name="context")(context)
            if number < last:
                x = self.activation(x)
        shift, log_scale = jnp.split(x, 2, axis=-1)
        return shift, log_scale


class Conditioner(nn.Module):
    """x [N, d] (and context [N, c]) -> (shift, log_scale), each [N, d]: the network of an affine coupling layer."""

    widths: Sequence[int] = (64, 64)
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, context: jax.Array | None = None, *, train: bool) -> tuple[jax.Array, jax.Array]:
        dims = x.shape[-1]
        if context is not None:
            x = jnp.concatenate([x, context], axis=-1)
        for width in self.widths:
            x = nn.relu(Dense(width, dtype=self.dtype)(x))
        x = Dense(2 * dims, dtype=self.dtype, kernel_init=nn.initializers.zeros_init())(x).astype(jnp.float32)
        shift, log_scale = jnp.split(x, 2, axis=-1)
        return shift, log_scale
