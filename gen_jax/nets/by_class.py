"""An encoder that is asked of several classes of each example at once, and looks at the example once (M2)."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.nets.layers import Dense
from gen_jax.nets.mlp import GLOROT, Trunk


class Encoder(nn.Module):
    """(x [B, ...], n labels of each, side by side [B·n]) -> (mean, log_variance) of Gaussians, each [B·n, latent_size].

    A multilayer perceptron of x and the one-hot label: the first layer's product with x is taken once an example.
    """

    latent_size: int
    classes: int
    widths: Sequence[int] = (500,)
    activation: Callable[[jax.Array], jax.Array] = nn.softplus
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, label: jax.Array, *, train: bool) -> tuple[jax.Array, jax.Array]:
        options = {"dtype": self.dtype, "kernel_init": GLOROT}
        seen = Dense(self.widths[0], **options)(x.reshape(x.shape[0], -1).astype(self.dtype))  # [B, w]
        told = Dense(self.widths[0], use_bias=False, **options)(jax.nn.one_hot(label, self.classes))  # [B·n, w]
        first = self.activation(jnp.repeat(seen, label.shape[0] // x.shape[0], axis=0) + told)
        top, _ = Trunk(tuple(self.widths[1:]), self.activation, dtype=self.dtype)(first, train)
        mean, log_variance = jnp.split(Dense(2 * self.latent_size, **options)(top).astype(jnp.float32), 2, axis=-1)
        return mean, log_variance
