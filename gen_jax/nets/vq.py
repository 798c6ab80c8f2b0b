"""Networks of the VQ-VAE (van den Oord et al. 2017, section 4.1): strided convolutions and residual blocks; and a small
gated PixelCNN (van den Oord et al. 2016) over the grid of codes."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from gen_jax.core.errors import UserError
from gen_jax.nets.layers import Conv, ConvTranspose
from gen_jax.nets.of_images import need_images


class Residual(nn.Module):
    """x + conv1(relu(conv3(relu(x)))), same shape."""

    hidden: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        y = Conv(self.hidden, 3, dtype=self.dtype)(nn.relu(x))
        return x + Conv(x.shape[-1], 1, dtype=self.dtype)(nn.relu(y))


class Encoder(nn.Module):
    """Images [B, S, S, C] -> [B, S/2^stages, S/2^stages, dims]. UserError where S is no multiple of 2^stages."""

    dims: int
    width: int = 64
    stages: int = 2
    blocks: int = 2
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        need_images(x.shape[1:], "this encoder is")
        if len(x.shape) != 4 or x.shape[1] % 2**self.stages or x.shape[2] % 2**self.stages:
            given = "×".join(map(str, x.shape[1:]))
            raise UserError(f"this encoder halves {self.stages} times and needs sides divisible by it, not {given}")
        for stage in range(self.stages):
            x = Conv(self.width // 2 ** (stage < self.stages - 1), 4, stride=2, dtype=self.dtype)(x)
            x = nn.relu(x) if stage < self.stages - 1 else x
        for _ in range(self.blocks):
            x = Residual(self.width // 2, dtype=self.dtype)(x)
        return Conv(self.dims, 1, dtype=self.dtype)(nn.relu(x)).astype(jnp.float32)


class Decoder(nn.Module):
    """[B, h, w, dims] -> likelihood parameters [B, h·2^stages, w·2^stages, outputs], unbounded."""

    outputs: int
    width: int = 64
    stages: int = 2
    blocks: int = 2
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        x = Conv(self.width, 3, dtype=self.dtype)(x)
        for _ in range(self.blocks):
            x = Residual(self.width // 2, dtype=self.dtype)(x)
        x = nn.relu(x)
        for _ in range(self.stages - 1):
            x = nn.relu(ConvTranspose(self.width // 2, 4, dtype=self.dtype)(x))
        return ConvTranspose(self.outputs, 4, dtype=self.dtype)(x).astype(jnp.float32)


def taps(size: int, strict: bool) -> list[tuple[int, int]]:
    """(row, column) of a kernel's positions before its centre in raster order, and of the centre unless `strict`."""
    centre = size * size // 2
    return [divmod(place, size) for place in range(centre if strict else centre + 1)]


class MaskedConv(nn.Module):
    """A convolution that sees only what comes before a position in raster order (and itself unless `strict`).

    One matrix product over the taps that the mask leaves: half of the arithmetic of a convolution with a mask in it,
    and XLA's CPU takes seconds for the gradients of such a one.
    """

    features: int
    kernel_size: int = 3
    strict: bool = False
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.lecun_normal(), shape)
        bias = self.param("bias", nn.initializers.zeros_init(), (self.features,))
        seen, reach, (height, width) = taps(self.kernel_size, self.strict), self.kernel_size // 2, x.shape[1:3]
        around = jnp.pad(x.astype(self.dtype), ((0, 0), (reach, reach), (reach, reach), (0, 0)))
        past = [around[:, row : row + height, column : column + width] for row, column in seen]
        rows, columns = np.array(seen).T
        used = kernel[rows, columns].reshape(len(seen) * x.shape[-1], self.features)
        return jnp.concatenate(past, axis=-1) @ used.astype(self.dtype) + bias.astype(self.dtype)


class CodePrior(nn.Module):
    """Code numbers int32 [B, h, w] -> logits [B, h, w, codes], each position seeing only those before it.

    Gated residual masked convolutions. The raster-order mask leaves the blind spot of the first PixelCNN, to the right
    of each row's past: on a grid of 7×7 six 5×5 layers leave little of it.
    """

    codes: int
    width: int = 64
    layers: int = 6
    kernel_size: int = 5
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, numbers: jax.Array, *, train: bool) -> jax.Array:
        height, width = numbers.shape[1:]
        place = self.param("place", nn.initializers.normal(0.02), (height, width, self.width))
        x = MaskedConv(self.width, self.kernel_size, strict=True, dtype=self.dtype)(
            nn.Embed(self.codes, self.width)(numbers)
        )
        x = x + place.astype(self.dtype)
        for _ in range(self.layers):
            y = MaskedConv(2 * self.width, self.kernel_size, dtype=self.dtype)(nn.elu(x))
            value, gate = jnp.split(y, 2, axis=-1)
            x = x + jnp.tanh(value) * nn.sigmoid(gate)
        return Conv(self.codes, 1, dtype=self.dtype)(nn.relu(x)).astype(jnp.float32)
