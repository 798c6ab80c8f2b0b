"""A U-Net (Ronneberger et al. 2015, arXiv:1505.04597) of residual blocks with group normalisation, as DDPM's (Ho et al.
2020, arXiv:2006.11239) without attention: from an image to an image, told a time and a class or neither.

No layer mixes examples, and all are convolutions: what it makes of an image does not depend on the batch, and it works
at any size that halves often enough.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core.errors import UserError
from gen_jax.nets.conditioning import check_label, lookup
from gen_jax.nets.layers import Conv, Dense, Dropout
from gen_jax.nets.resample import nearest_up

GROUPS = 8  # of the normalisations, at most: narrow networks have fewer


class UNet(nn.Module):
    """x [B, H, W, C] (, time float32 [B] in [0, 1] (, label int32 [B])) -> float32 [B, H, W, outputs], 0 at first.

    multipliers: channels of each level in units of `width`, from the image's size down; each further level halves it.
    blocks: residual blocks a level, down and up. dropout: in each block. skip: the output is added to x, whose channels
    are then as many. UserError for sizes that do not halve as often.
    """

    outputs: int
    width: int = 32
    multipliers: tuple[int, ...] = (1, 2, 2)
    blocks: int = 1
    classes: int | None = None
    dropout: float = 0.0
    skip: bool = False
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, x: jax.Array, time: jax.Array | None = None, label: jax.Array | None = None, *, train: bool
    ) -> jax.Array:
        check_size(x.shape, len(self.multipliers))
        check_label(label, self.classes)
        told = self._told(time, label)

        def block(x: jax.Array, multiplier: int, name: str) -> jax.Array:
            return Block(multiplier * self.width, self.dropout, self.dtype, name=name)(x, told, train)

        given = x
        x = Conv(self.width * self.multipliers[0], dtype=self.dtype, name="first")(x)
        beside = [x]
        for level, multiplier in enumerate(self.multipliers):
            if level:
                x = Conv(x.shape[-1], stride=2, dtype=self.dtype, name=f"halve{level}")(x)
                beside.append(x)
            for number in range(self.blocks):
                x = block(x, multiplier, f"down{level}_{number}")
                beside.append(x)
        x = block(x, self.multipliers[-1], "middle")
        for level, multiplier in reversed(list(enumerate(self.multipliers))):
            for number in range(self.blocks + 1):
                x = block(jnp.concatenate([x, beside.pop()], axis=-1), multiplier, f"up{level}_{number}")
            if level:
                x = Conv(x.shape[-1], dtype=self.dtype, name=f"double{level}")(nearest_up(x))
        x = nn.silu(group_norm(x, self.dtype, "norm"))
        last = Conv(self.outputs, dtype=self.dtype, kernel_init=nn.initializers.zeros, name="last")(x)
        return last.astype(jnp.float32) + (given if self.skip else 0.0)

    def _told(self, time: jax.Array | None, label: jax.Array | None) -> jax.Array | None:
        """What every block hears of time and class, [B, 4·width]; None where there is neither."""
        size, parts = 4 * self.width, []
        if time is not None:
            hidden = nn.silu(Dense(size, dtype=self.dtype, name="time1")(waves(time, self.width)))
            parts.append(Dense(size, dtype=self.dtype, name="time2")(hidden))
        if label is not None and self.classes is not None:
            table = self.param("classes", nn.initializers.normal(1.0), (self.classes, size))
            parts.append(lookup(table, label).astype(self.dtype))
        return nn.silu(sum(parts[1:], parts[0])) if parts else None


class Block(nn.Module):
    """norm, SiLU, 3×3 twice, beside the input: [B, H, W, C] -> [B, H, W, channels]. `told` [B, n] is added between."""

    channels: int
    dropout: float = 0.0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, told: jax.Array | None, train: bool) -> jax.Array:
        y = Conv(self.channels, dtype=self.dtype, name="conv1")(nn.silu(group_norm(x, self.dtype, "norm1")))
        if told is not None:
            y = y + Dense(self.channels, dtype=self.dtype, name="told")(told)[:, None, None, :]
        y = Dropout(self.dropout)(nn.silu(group_norm(y, self.dtype, "norm2")), train)
        y = Conv(self.channels, dtype=self.dtype, kernel_init=nn.initializers.zeros, name="conv2")(y)
        if x.shape[-1] != self.channels:
            x = Conv(self.channels, 1, use_bias=False, dtype=self.dtype, name="beside")(x)
        return x + y


def waves(time: jax.Array, size: int) -> jax.Array:
    """time [B] in [0, 1] as sines and cosines of `size` // 2 frequencies between 1,000 and 0.1: [B, 2 (size // 2)]."""
    frequencies = 1000.0 * jnp.exp(-math.log(10_000.0) * jnp.arange(size // 2) / max(1, size // 2))
    angles = time[:, None] * frequencies
    return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)


def check_size(shape: tuple[int, ...], levels: int) -> None:
    """UserError unless [..., H, W, C] halves `levels` - 1 times without a rest."""
    height, width, factor = *shape[-3:-1], 2 ** (levels - 1)
    if height % factor or width % factor:
        raise UserError(
            f"a U-Net of {levels} levels halves images {levels - 1} times, and {width}×{height} does not halve so "
            f"often; resize to a multiple of {factor} with --image-size, or use fewer levels"
        )


def group_norm(x: jax.Array, dtype: Any, name: str) -> jax.Array:
    """Group normalisation by the largest number of groups up to `GROUPS` that divides the channels."""
    return nn.GroupNorm(num_groups=math.gcd(GROUPS, x.shape[-1]), epsilon=1e-5, dtype=dtype, name=name)(x)
