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


Place = tuple[jax.Array, jax.Array]  # row and column on a grid, int32 scalars


def part(x: jax.Array, at: Place, size: int) -> jax.Array:
    """Of [B, h, w, C] the square [B, size, size, C] whose first corner is `at`."""
    return jax.lax.dynamic_slice(x, (0, *at, 0), (x.shape[0], size, size, x.shape[-1]))


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
    def __call__(self, x: jax.Array, at: Place | None = None) -> jax.Array:
        """[B, h, w, C] -> [B, h, w, features]; with `at`, what it is there alone, [B, 1, 1, features]."""
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.lecun_normal(), shape)
        bias = self.param("bias", nn.initializers.zeros_init(), (self.features,))
        seen, reach, (height, width) = taps(self.kernel_size, self.strict), self.kernel_size // 2, x.shape[1:3]
        around = jnp.pad(x.astype(self.dtype), ((0, 0), (reach, reach), (reach, reach), (0, 0)))
        if at is not None:
            height, width = 1, 1
            around = part(around, at, self.kernel_size)
        past = [around[:, row : row + height, column : column + width] for row, column in seen]
        rows, columns = np.array(seen).T
        used = kernel[rows, columns].reshape(len(seen) * x.shape[-1], self.features)
        return jnp.concatenate(past, axis=-1) @ used.astype(self.dtype) + bias.astype(self.dtype)


class CodePrior(nn.Module):
    """Code numbers int32 [B, h, w] -> logits [B, h, w, codes], each position seeing only those before it.

    Gated residual masked convolutions. The raster-order mask leaves the blind spot of the first PixelCNN, to the right
    of each row's past: on a grid of 7×7 six 5×5 layers leave little of it.

    With `at`, the logits of that place alone, [B, 1, 1, codes]: places are asked for in raster order, and what each
    layer saw at those before stays in the collection "memory". A drawing then costs one pass over the grid, not h·w.
    """

    codes: int
    width: int = 64
    layers: int = 6
    kernel_size: int = 5
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, numbers: jax.Array, *, train: bool, at: Place | None = None) -> jax.Array:
        place = self.param("place", nn.initializers.normal(0.02), (*numbers.shape[1:], self.width))[None]
        x = MaskedConv(self.width, self.kernel_size, strict=True, dtype=self.dtype)(
            nn.Embed(self.codes, self.width)(numbers), at
        )
        x = x + (place if at is None else part(place, at, 1)).astype(self.dtype)
        for layer in range(self.layers):
            y = nn.elu(x)
            seen = y if at is None else self._remember(f"layer_{layer}", y, at, numbers.shape)
            y = MaskedConv(2 * self.width, self.kernel_size, dtype=self.dtype)(seen, at)
            value, gate = jnp.split(y, 2, axis=-1)
            x = x + jnp.tanh(value) * nn.sigmoid(gate)
        return Conv(self.codes, 1, dtype=self.dtype)(nn.relu(x)).astype(jnp.float32)

    def _remember(self, name: str, x: jax.Array, at: Place, shape: tuple[int, ...]) -> jax.Array:
        """What a layer has seen so far, [B, h, w, width], with x [B, 1, 1, width] where it is now."""
        memory = self.variable("memory", name, jnp.zeros, (*shape, self.width), x.dtype)
        memory.value = jax.lax.dynamic_update_slice(memory.value, x, (0, *at, 0))
        return memory.value
