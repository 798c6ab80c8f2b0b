"""How a class, or any vector, reaches a GAN: through the gains of batch normalisation, and by projection.

The generator's way is conditional batch normalisation (Dumoulin et al. 2017; de Vries et al. 2017; BigGAN, Brock et
al. 2019); the discriminator's is the projection of its features on the class's embedding (Miyato & Koyama 2018).
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core import axis
from gen_jax.core.errors import UserError
from gen_jax.nets.layers import Dense
from gen_jax.nets.spectral import SpectralNorm

Init = Callable[..., jax.Array]


class ConditionalBatchNorm(nn.Module):
    """Batch normalisation with a gain and a bias a class: [B, H, W, C], label int32 [B] -> [B, H, W, C].

    The gain is 1 + e with e ~ N(0, .02), the bias starts at 0 (mimicry; BigGAN-PyTorch draws the bias alike).
    """

    classes: int
    dtype: Any = jnp.float32
    gain_init: Init = nn.initializers.normal(0.02)
    bias_init: Init = nn.initializers.zeros

    @nn.compact
    def __call__(self, x: jax.Array, label: jax.Array, *, train: bool) -> jax.Array:
        table = (self.classes, x.shape[-1])
        gain = lookup(self.param("gain", self.gain_init, table), label)
        bias = lookup(self.param("bias", self.bias_init, table), label)
        return _modulate(x, gain, bias, train, self.dtype)


class VectorBatchNorm(nn.Module):
    """Batch normalisation whose gain and bias are linear in a vector: x [B, H, W, C], vector [B, d] -> [B, H, W, C].

    BigGAN's: the linear maps have no bias, the gain is 1 + g, and with `spectral` both maps are normalised.
    """

    spectral: bool = True
    dtype: Any = jnp.float32
    kernel_init: Init = nn.initializers.orthogonal()

    @nn.compact
    def __call__(self, x: jax.Array, vector: jax.Array, *, train: bool) -> jax.Array:
        gain, bias = (
            Dense(x.shape[-1], use_bias=False, spectral=self.spectral, kernel_init=self.kernel_init, name=name)(
                vector, train=train
            )
            for name in ("gain", "bias")
        )
        return _modulate(x, gain, bias, train, self.dtype)


class ProjectionHead(nn.Module):
    """Logits of a discriminator: psi(h), and with `classes` + <V_y, h>. h [B, C], label int32 [B] -> float32 [B].

    Miyato & Koyama 2018, eq. 3, with psi linear; psi and V spectrally normalised with `spectral`.
    """

    classes: int | None = None
    spectral: bool = True
    kernel_init: Init = nn.initializers.xavier_uniform()

    @nn.compact
    def __call__(self, features: jax.Array, label: jax.Array | None = None, *, train: bool) -> jax.Array:
        check_label(label, self.classes)
        features = features.astype(jnp.promote_types(features.dtype, jnp.float32))
        dense = Dense(1, spectral=self.spectral, kernel_init=self.kernel_init, dtype=features.dtype, name="linear")
        logits = dense(features, train=train)[:, 0]
        if self.classes is None:
            return logits
        table = self.param("embedding", self.kernel_init, (self.classes, features.shape[-1]))
        if self.spectral:
            table = SpectralNorm(name="spectral")(table, train)
        return logits + jnp.sum(lookup(table, label) * features, axis=-1)  # pyright: ignore[reportArgumentType]


def check_label(label: jax.Array | None, classes: int | None) -> None:
    """UserError where a conditional network gets no label, or an unconditional one gets some."""
    if classes is not None and label is None:
        raise UserError(f"this network is conditional on {classes} classes and needs labels; the data has none")
    if classes is None and label is not None:
        raise UserError("this network is unconditional and got labels; give it `classes` to use them")


def lookup(table: jax.Array, label: jax.Array) -> jax.Array:
    """Rows of a table [classes, d] by label int32 [B] -> [B, d]; NaN, not a neighbour, for a label it hasn't."""
    return jnp.take(table, label, axis=0, mode="fill", fill_value=jnp.nan)


def _modulate(x: jax.Array, gain: jax.Array, bias: jax.Array, train: bool, dtype: Any) -> jax.Array:
    """normalise(x) (1 + gain) + bias in float32, for gain and bias [B, C]; called inside a compact module."""
    normal = nn.BatchNorm(  # its constants are those of layers.BatchNorm
        use_running_average=not train,
        momentum=0.9,
        use_scale=False,
        use_bias=False,
        dtype=jnp.float32,
        axis_name=axis.name(),
        name="norm",
    )(x)
    per_example = (x.shape[0], *[1] * (x.ndim - 2), x.shape[-1])
    return (normal * (1.0 + gain.reshape(per_example)) + bias.reshape(per_example)).astype(dtype)
