"""One learned scale for all pixels, beside a decoder of means (Dai & Wipf 2019; Rybkin et al. 2021's "shared σ")."""

import jax
import jax.numpy as jnp
from flax import linen as nn


class SharedScale(nn.Module):
    """A decoder's means [B, ..., C] with one learned log-scale appended as C further channels: [B, ..., 2C]."""

    decoder: nn.Module
    start: float = -1.0

    @nn.compact
    def __call__(self, latents: jax.Array, *labels: jax.Array, train: bool) -> jax.Array:
        mean = self.decoder(latents, *labels, train=train)
        log_scale = self.param("log_scale", nn.initializers.constant(self.start), ())
        return jnp.concatenate([mean, jnp.broadcast_to(log_scale, mean.shape)], axis=-1)
