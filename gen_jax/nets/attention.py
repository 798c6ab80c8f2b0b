"""Self-attention over the positions of a feature map (SAGAN: Zhang et al. 2019, arXiv:1805.08318, section 3)."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core.errors import UserError
from gen_jax.nets.layers import Dense
from gen_jax.nets.resample import max_down


class SelfAttention(nn.Module):
    """x + gamma o(softmax(theta(x) phi(x)') g(x)): [B, H, W, C] -> [B, H, W, C], C a multiple of 8.

    theta and phi have C/8 channels, g C/2; all are 1×1 convolutions without bias; keys and values are max-pooled by
    two, as in the authors' code (not the paper's text). gamma starts at 0: the layer begins as the identity.
    """

    spectral: bool = True
    dtype: Any = jnp.float32
    kernel_init: Callable[..., jax.Array] = nn.initializers.xavier_uniform()

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        count, rows, columns, channels = x.shape
        if channels % 8 or min(rows, columns) < 2:
            raise UserError(
                f"self-attention needs a multiple of 8 channels on maps of at least 2×2, not "
                f"{rows}×{columns}×{channels}: choose another width or another block"
            )

        def project(features: int, name: str):
            return Dense(  # over the channels: a 1×1 convolution
                features,
                use_bias=False,
                spectral=self.spectral,
                kernel_init=self.kernel_init,
                dtype=self.dtype,
                name=name,
            )

        queries = project(channels // 8, "theta")(x, train=train).reshape(count, rows * columns, -1)
        keys = max_down(project(channels // 8, "phi")(x, train=train)).reshape(count, -1, channels // 8)
        values = max_down(project(channels // 2, "g")(x, train=train)).reshape(count, -1, channels // 2)
        exact = jnp.promote_types(self.dtype, jnp.float32)
        similarity = jnp.einsum("bqc,bkc->bqk", queries, keys, preferred_element_type=exact)
        weights = jax.nn.softmax(similarity, axis=-1).astype(values.dtype)  # over the keys, in float32
        mixed = jnp.einsum("bqk,bkc->bqc", weights, values).reshape(count, rows, columns, channels // 2)
        gamma = self.param("gamma", nn.initializers.zeros, ())
        return x + gamma.astype(self.dtype) * project(channels, "o")(mixed, train=train)
