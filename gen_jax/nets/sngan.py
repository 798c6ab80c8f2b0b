"""SNGAN's ResNets (Miyato et al. 2018, arXiv:1802.05957) and SAGAN's (Zhang et al. 2019, arXiv:1805.08318).

With classes the generator has conditional batch normalisation and the discriminator projects (Miyato & Koyama 2018).
SAGAN is `attention` in both and `spectral=True` in the generator. Widths, blocks and parameter counts at 32, 64 and
128 pixels are mimicry's; 8, 16 and 28 pixels are the 32-pixel network with fewer blocks or, for 28, a 7×7 start.
Departures from mimicry: biases start at 0, and shortcuts see the input before its ReLU.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core.errors import UserError
from gen_jax.nets.attention import SelfAttention
from gen_jax.nets.conditioning import ConditionalBatchNorm, ProjectionHead, check_label
from gen_jax.nets.layers import BatchNorm, Conv, Dense
from gen_jax.nets.of_images import need_images
from gen_jax.nets.resample import bilinear_up
from gen_jax.nets.resnet import XAVIER, DiscriminatorBlock, GeneratorBlock, Inits, Resample


class Plan(NamedTuple):
    """A network by its widths, each as a fraction 1/n of the widest."""

    base: int  # rows of the generator's first map
    generator_width: int  # published
    discriminator_width: int
    first: int
    ups: tuple[int, ...]  # a generator block each, all upsampling
    downs: tuple[int, ...]  # a discriminator block each, the first on pixels
    flat: tuple[int, ...]  # discriminator blocks that keep the size, after those


PLANS = {
    8: Plan(4, 256, 128, 1, (1,), (1, 1), (1, 1)),
    16: Plan(4, 256, 128, 1, (1, 1), (1, 1), (1, 1)),
    28: Plan(7, 256, 128, 1, (1, 1), (1, 1), (1, 1)),
    32: Plan(4, 256, 128, 1, (1, 1, 1), (1, 1), (1, 1)),
    64: Plan(4, 1024, 1024, 1, (2, 4, 8, 16), (16, 8, 4, 2, 1), ()),
    128: Plan(4, 1024, 1024, 1, (1, 2, 4, 8, 16), (16, 8, 4, 2, 1), (1,)),
}


class Generator(nn.Module):
    """latents [B, d], label int32 [B] with `classes` -> images [B, *shape] in [-1, 1]. UserError for other sizes.

    width: channels of the widest map; by default the published 256 (to 32 pixels) or 1024. attention: after which
    block (1 is the first). up: `resample.bilinear_up` as mimicry, or `nearest_up` as the authors and BigGAN.
    spectral: normalise the generator's kernels too, as SAGAN does.
    """

    shape: tuple[int, ...]
    width: int | None = None
    classes: int | None = None
    attention: int | None = None
    up: Resample = bilinear_up
    spectral: bool = False
    inits: Inits = XAVIER
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, latents: jax.Array, label: jax.Array | None = None, *, train: bool) -> jax.Array:
        plan = plan_for(self.shape)
        check_label(label, self.classes)
        width = self.width or plan.generator_width
        check_attention(self.attention, len(plan.ups))
        condition, norm = (), BatchNorm
        if self.classes is not None:
            condition, norm = (label,), partial(ConditionalBatchNorm, self.classes)
        common = {"spectral": self.spectral, "dtype": self.dtype}
        linear = Dense(plan.base**2 * width, kernel_init=self.inits.other, name="linear", **common)
        x = linear(latents, train=train).reshape(-1, plan.base, plan.base, width)
        for i, fraction in enumerate(plan.ups, 1):
            block = GeneratorBlock(divide(width, fraction), norm, self.up, inits=self.inits, name=f"block{i}", **common)
            x = block(x, *condition, train=train)  # pyright: ignore[reportArgumentType]
            if i == self.attention:
                x = SelfAttention(kernel_init=self.inits.other, name="attention", **common)(x, train=train)
        x = nn.relu(BatchNorm(dtype=self.dtype, name="norm")(x, train=train))
        pixels = Conv(self.shape[-1], kernel_init=self.inits.other, name="pixels", **common)(x, train=train)
        return jnp.tanh(pixels.astype(jnp.float32))


class Discriminator(nn.Module):
    """images [B, H, W, C], label int32 [B] with `classes` -> logits float32 [B]. UserError for other sizes.

    width: channels of the widest map; by default the published 128 (to 32 pixels) or 1024. attention: after which
    block. wide: blocks have their output's channels between the convolutions, as in BigGAN, not their input's. plan:
    blocks other than the size's own. Every layer is spectrally normalised; features are summed over positions.
    """

    width: int | None = None
    classes: int | None = None
    attention: int | None = None
    spectral: bool = True
    wide: bool = False
    plan: Plan | None = None
    inits: Inits = XAVIER
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, label: jax.Array | None = None, *, train: bool) -> jax.Array:
        plan = self.plan or plan_for(images.shape[1:])
        width = self.width or plan.discriminator_width
        check_attention(self.attention, len(plan.downs + plan.flat))
        common = {"spectral": self.spectral, "dtype": self.dtype}
        x = images.astype(self.dtype)
        for i, fraction in enumerate(plan.downs + plan.flat, 1):
            down = i <= len(plan.downs)
            features = divide(width, fraction)
            hidden = features if self.wide else None
            block = DiscriminatorBlock(features, down, i == 1, hidden, inits=self.inits, name=f"block{i}", **common)
            x = block(x, train=train)
            if i == self.attention:
                x = SelfAttention(kernel_init=self.inits.other, name="attention", **common)(x, train=train)
        features = jnp.sum(nn.relu(x), axis=(1, 2), dtype=jnp.promote_types(x.dtype, jnp.float32))
        head = ProjectionHead(self.classes, self.spectral, self.inits.other, name="head")
        return head(features, label, train=train)


def plan_for(shape: tuple[int, ...]) -> Plan:
    """The plan for images of `shape` (H, W, C); UserError, naming the sizes that work, where there is none."""
    need_images(shape, "this network is")
    if len(shape) != 3 or shape[0] != shape[1] or shape[0] not in PLANS:
        sizes = ", ".join(map(str, PLANS))
        given = "×".join(map(str, shape))
        raise UserError(
            f"this network makes square images of {sizes} pixels, not {given}; "
            "use image data, resized where needed, for example with --image-size 32"
        )
    return PLANS[shape[0]]


def check_attention(after: int | None, blocks: int) -> None:
    """UserError where attention is asked for after a block that isn't there."""
    if after is not None and not 1 <= after <= blocks:
        raise UserError(f"attention after block {after} of a network that has {blocks}: choose 1 to {blocks}")


def divide(width: int, fraction: int) -> int:
    """width / fraction; UserError unless it is whole."""
    if width % fraction:
        raise UserError(f"the widest map's channels are divided by {fraction} at this image size: {width} cannot be")
    return width // fraction
