"""StyleGAN2's networks, written from the papers (Karras et al. 2020, arXiv:1912.04958; 2018, arXiv:1710.10196, for the
equalised learning rate; 2020, arXiv:2006.06676, for the small-image configuration).

`widths` are the channels of each size, coarsest first: the coarsest map has size / 2^(sizes - 1) rows, so that three
make 28 pixels from 7×7 and four make 32 from 4×4. Published (`widths_of`):

    config F, FFHQ 1024²    nine sizes, 512 × 5, 256, 128, 64, 32; eight layers of mapping; residual discriminator
    small images, CIFAR-10  512 × 4; two layers of mapping; plain discriminator, whose classes pass eight layers

Every parameter starts at N(0, 1) and is scaled where it is used, so that Adam's steps are as large for all of them.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core import keys
from gen_jax.core.errors import UserError
from gen_jax.nets import conv as ops
from gen_jax.nets.conditioning import check_label, lookup
from gen_jax.nets.equalized import Conv, Dense, activate, scaled_kernel
from gen_jax.nets.minibatch import minibatch_stddev
from gen_jax.nets.of_images import need_images
from gen_jax.nets.resample import fir_blur, fir_down, fir_up


def widths_of(size: int, base: int = 32_768, most: int = 512) -> tuple[int, ...]:
    """Channels from 4×4 to size×size: base / rows, `most` at most. 1024 pixels: config F; halved bases: narrower."""
    return tuple(min(most, max(1, base // rows)) for rows in (4 * 2**n for n in range((size // 4).bit_length())))


class Mapping(nn.Module):
    """latents [B, d] (, label int32 [B]) -> styles [B, size]: both normalised, then `depth` layers whose learning rate
    is a hundredth (section B of the paper)."""

    size: int = 512
    depth: int = 8
    classes: int | None = None
    rate: float = 0.01

    @nn.compact
    def __call__(self, latents: jax.Array | None, label: jax.Array | None = None) -> jax.Array:
        check_label(label, self.classes)
        parts = [] if latents is None else [_normalised(latents)]
        if label is not None and self.classes is not None:
            # A linear map of the one-hot class: equalised, it divides by the root of the number of classes.
            table = self.param("classes", nn.initializers.normal(1.0), (self.classes, self.size))
            bias = self.param("classes_bias", nn.initializers.zeros, (self.size,))
            parts.append(_normalised(lookup(table, label) * self.classes**-0.5 + bias))
        x = jnp.concatenate(parts, axis=-1)
        for layer in range(self.depth):
            x = activate(Dense(self.size, rate=self.rate, name=f"layer{layer}")(x))
        return x


class ModulatedConv(nn.Module):
    """x [B, H, W, C], style [B, s] -> [B, H, W, features], or twice the size with `up`: section 2.2 of the paper.

    Scaling the kernel's inputs by the style is scaling the maps, and dividing each output by the norm of its scaled
    kernel is dividing the map that comes out: one convolution for the whole batch, not one for each example.
    """

    features: int
    kernel_size: int = 3
    up: bool = False
    demodulate: bool = True
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, style: jax.Array) -> jax.Array:
        scale = Dense(x.shape[-1], bias_init=1.0, name="style")(style)  # [B, C]
        kernel = scaled_kernel(self, (self.kernel_size, self.kernel_size, x.shape[-1], self.features))
        x = x.astype(self.dtype) * scale[:, None, None, :].astype(self.dtype)
        if self.up:
            wide = ops.conv_transpose(x, kernel.swapaxes(2, 3).astype(self.dtype), 2)
            y = fir_blur(wide, before=1, gain=4.0)
        else:
            y = ops.conv(x, kernel.astype(self.dtype))
        if self.demodulate:
            energy = jnp.square(scale) @ jnp.sum(jnp.square(kernel), axis=(0, 1))  # [B, features]
            y = y * jax.lax.rsqrt(energy + 1e-8)[:, None, None, :].astype(y.dtype)
        return y


class StyledLayer(nn.Module):
    """A modulated convolution, noise of one learned strength, bias, leaky ReLU. `number` tells its noise from others'.

    In training the noise is each example's own; otherwise it is one fixed picture, as published for evaluation.
    """

    features: int
    number: int
    up: bool = False
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, style: jax.Array, train: bool) -> jax.Array:
        x = ModulatedConv(self.features, up=self.up, dtype=self.dtype, name="conv")(x, style)
        strength = self.param("noise_strength", nn.initializers.zeros, ())
        if train:
            noise = keys.normal(self.make_rng("dropout"), x.shape[0], *x.shape[1:3])
        else:
            noise = jax.random.normal(jax.random.key(self.number), x.shape[1:3])[None]
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        return activate(x + (strength * noise[..., None] + bias).astype(x.dtype))


class Generator(nn.Module):
    """latents [B, d] (, label int32 [B] with `classes`) -> images float32 [B, *shape]: mapping, then synthesis, where
    each size adds its own image to the enlarged one of the sizes before ("skip").

    mixing: the share of training examples whose later layers, from a random one on, follow a second latent (style
    mixing; .9 in config F, none in the small-image configuration). UserError for sizes that it cannot make.
    `styles` and `synthesis` are its two halves; images are neither squashed nor clipped.
    """

    shape: tuple[int, ...]
    widths: tuple[int, ...]
    style: int = 512
    depth: int = 8
    classes: int | None = None
    mixing: float = 0.0
    dtype: Any = jnp.float32

    def setup(self) -> None:
        base_of(self.shape, self.widths)
        self.mapping = Mapping(self.style, self.depth, self.classes)
        self.network = Synthesis(self.shape, self.widths, self.dtype)

    @property
    def layers(self) -> int:
        """How many styles an image takes: two a size, the coarsest and the last image making one each."""
        return 2 * len(self.widths)

    def __call__(self, latents: jax.Array, label: jax.Array | None = None, *, train: bool) -> jax.Array:
        styles = self.styles(latents, label)
        if train and self.mixing:
            styles = self._mixed(styles, latents.shape, label)
        return self.network(styles, train)

    def styles(self, latents: jax.Array, label: jax.Array | None = None, train: bool = False) -> jax.Array:
        """One style for all layers, [B, layers, style]."""
        return jnp.repeat(self.mapping(latents, label)[:, None], self.layers, axis=1)

    def synthesis(self, styles: jax.Array, train: bool = False) -> jax.Array:
        """Images of styles [B, layers, style]."""
        return self.network(styles, train)

    def _mixed(self, styles: jax.Array, shape: tuple[int, ...], label: jax.Array | None) -> jax.Array:
        key = self.make_rng("dropout")
        other = self.styles(keys.normal(keys.named(key, "second"), *shape), label)
        chance, where = keys.uniform(keys.named(key, "crossover"), shape[0], 2).T  # [B] each
        first = jnp.where(chance < self.mixing, 1 + jnp.floor(where * (self.layers - 1)), self.layers)
        return jnp.where((jnp.arange(self.layers) < first[:, None])[..., None], styles, other)


class Synthesis(nn.Module):
    """styles [B, layers, s] -> images float32 [B, *shape]."""

    shape: tuple[int, ...]
    widths: tuple[int, ...]
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, styles: jax.Array, train: bool) -> jax.Array:
        base, channels = base_of(self.shape, self.widths), self.shape[-1]
        basis = self.param("basis", nn.initializers.normal(1.0), (base, base, self.widths[0]))
        x = jnp.broadcast_to(basis, (styles.shape[0], *basis.shape)).astype(self.dtype)
        image, layer = None, 0
        for size, width in enumerate(self.widths):
            for up in (True, False) if size else (False,):
                made = StyledLayer(width, layer, up, self.dtype, name=f"size{size}_{'up' if up else 'conv'}")
                x, layer = made(x, styles[:, layer], train), layer + 1
            own = ModulatedConv(channels, 1, demodulate=False, dtype=self.dtype, name=f"size{size}_image")
            found = own(x, styles[:, layer]) + self.param(f"size{size}_bias", nn.initializers.zeros, (channels,))
            image = found.astype(jnp.float32) + (0.0 if image is None else fir_up(image))
        assert image is not None  # there is one size or more
        return image


class Discriminator(nn.Module):
    """images [B, H, W, C] (, label int32 [B] with `classes`) -> logits float32 [B].

    residual: blocks with a second way, as in config F; without, as in the small-image configuration. group: rows that
    the minibatch standard deviation compares. With classes the features are projected on the class's style, made by
    eight layers of its own. UserError for sizes that do not halve so often.
    """

    widths: tuple[int, ...]
    classes: int | None = None
    residual: bool = True
    group: int = 4
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, label: jax.Array | None = None, *, train: bool) -> jax.Array:
        check_label(label, self.classes)
        base_of(images.shape[1:], self.widths)
        x = activate(Conv(self.widths[-1], 1, dtype=self.dtype, name="pixels")(images))
        for size in reversed(range(1, len(self.widths))):
            given, wide = x, self.widths[size]
            x = activate(Conv(wide, dtype=self.dtype, name=f"size{size}_conv")(x))
            x = activate(Conv(self.widths[size - 1], down=True, dtype=self.dtype, name=f"size{size}_down")(x))
            if self.residual:
                beside = Conv(self.widths[size - 1], 1, use_bias=False, dtype=self.dtype, name=f"size{size}_beside")
                x = (x + beside(fir_down(given))) * 0.5**0.5
        # Outside training any count of rows may come: groups shrink to what divides it.
        x = minibatch_stddev(x.astype(jnp.float32), self.group if train else math.gcd(self.group, x.shape[0]))
        x = activate(Conv(self.widths[0], name="last_conv")(x))
        x = activate(Dense(self.widths[0], name="last_dense")(x.reshape(x.shape[0], -1)))
        if self.classes is None:
            return Dense(1, name="logit")(x)[:, 0]
        told = Mapping(self.widths[0], classes=self.classes, name="mapping")(None, label)
        features = Dense(self.widths[0], name="logit")(x)
        return jnp.sum(features * told, axis=-1) * self.widths[0] ** -0.5


def _normalised(x: jax.Array) -> jax.Array:
    return x * jax.lax.rsqrt(jnp.mean(jnp.square(x), axis=-1, keepdims=True) + 1e-8)


def base_of(shape: tuple[int, ...], widths: tuple[int, ...]) -> int:
    """Rows of the coarsest map; UserError where the image is no square that halves as often as there are widths."""
    need_images(shape, "this network is")
    factor = 2 ** (len(widths) - 1)
    if not widths or len(shape) != 3 or shape[0] != shape[1] or shape[0] % factor:
        some = ", ".join(str(factor * rows) for rows in (4, 5, 6, 7, 8))
        raise UserError(
            f"{len(widths)} sizes make square images of a multiple of {factor} pixels ({some}, …), "
            f"not {'×'.join(map(str, shape))}; use --image-size, or other --widths"
        )
    return shape[0] // factor
