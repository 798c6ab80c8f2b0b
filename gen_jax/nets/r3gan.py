"""R3GAN's networks without normalisation (Huang et al. 2024, arXiv:2501.05441), after the authors' `R3GAN/Networks.py`.

A network is two tuples, from the coarsest map to the finest: `widths`, a stage each, and `groups` of its 3×3
convolutions. The coarsest map has size / 2^(stages - 1) rows: four stages make 32 pixels from 4×4, as published; three
make 28 from 7×7, which only changes the two bases from 4×4 to 7×7. Published (at two blocks a stage):

    CIFAR-10     CIFAR10      768 × 4,  groups 96 × 4,  16 channels a group
    ImageNet-32  IMAGENET32   1536 × 4, groups 96 × 4
    FFHQ-64      FFHQ64       768 × 4 and 384, groups 96 × 4 and 48

Images are neither squashed nor clipped: the generator ends in a linear layer.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core.errors import UserError
from gen_jax.nets.conditioning import check_label, lookup
from gen_jax.nets.grouped_conv import grouped_conv
from gen_jax.nets.layers import leaky_relu
from gen_jax.nets.of_images import need_images
from gen_jax.nets.resample import fir_down, fir_up

GAIN = (2 / (1 + 0.2**2)) ** 0.5  # keeps the variance through a leaky ReLU of slope 0.2


class Stages(NamedTuple):
    """Widths and groups by stage, coarsest first."""

    widths: tuple[int, ...]
    groups: tuple[int, ...]
    blocks: int = 2  # in each stage


CIFAR10 = Stages((768,) * 4, (96,) * 4)
IMAGENET32 = Stages((1536,) * 4, (96,) * 4)
FFHQ64 = Stages((768,) * 4 + (384,), (96,) * 4 + (48,))


def stages_of(widths: tuple[int, ...], group: int = 16, blocks: int = 2) -> Stages:
    """Stages of these widths with `group` channels in each group: `stages_of((768,) * 4)` is CIFAR10."""
    if bad := [width for width in widths if 2 * width % group or not width]:
        raise UserError(f"twice a width must be whole groups of {group} channels: {bad[0]} is not")
    return Stages(widths, tuple(2 * width // group for width in widths), blocks)


class Linear(nn.Module):
    """A linear map over the last axis without bias, N(0, gain² / in): on maps, a 1×1 convolution."""

    features: int
    gain: float = 1.0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        kernel = self.param("kernel", _normal(self.gain / x.shape[-1] ** 0.5), (x.shape[-1], self.features))
        return x.astype(self.dtype) @ kernel.astype(self.dtype)


class Block(nn.Module):
    """x + c1(act(grouped c3(act(c1(x))))), twice as wide inside; the last kernel starts at 0. [B, H, W, C] -> the same.

    The others start at N(0, (g L^(-1/4))² / fan-in), L = `depth`, the blocks of the whole network: Fixup's rule for
    residual branches of three layers (Zhang et al. 2019).
    """

    groups: int
    depth: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        channels, inner = x.shape[-1], 2 * x.shape[-1]
        if inner % self.groups:
            raise UserError(f"{inner} channels (twice the width {channels}) are not {self.groups} equal groups")
        gain = GAIN * self.depth**-0.25
        y = self._activate(Linear(inner, gain, self.dtype, name="widen")(x), "bias1")
        shape = (3, 3, inner // self.groups, inner)
        kernel = self.param("grouped", _normal(gain / (9 * shape[2]) ** 0.5), shape)
        y = self._activate(grouped_conv(y, kernel.astype(self.dtype), self.groups), "bias2")
        return x + Linear(channels, 0.0, self.dtype, name="narrow")(y)

    def _activate(self, x: jax.Array, name: str) -> jax.Array:
        return leaky_relu(x + self.param(name, nn.initializers.zeros, (x.shape[-1],)).astype(self.dtype))


class Generator(nn.Module):
    """latents [B, d], label int32 [B] with `classes` -> images float32 [B, *shape]. UserError for sizes it cannot make.

    embedding: size of the class embedding that joins the latents. With bfloat16 the coarsest stage stays float32, as
    published.
    """

    shape: tuple[int, ...]
    stages: Stages = CIFAR10
    classes: int | None = None
    embedding: int = 64
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, latents: jax.Array, label: jax.Array | None = None, *, train: bool) -> jax.Array:
        check_label(label, self.classes)
        base, depth = _base(self.shape, self.stages), len(self.stages.widths) * self.stages.blocks
        if self.classes is not None:
            table = self.param("embedding", _normal(self.classes**-0.5), (self.classes, self.embedding))
            assert label is not None  # check_label has seen to it
            latents = jnp.concatenate([latents, lookup(table, label)], axis=-1)
        width = self.stages.widths[0]
        basis = self.param("basis", nn.initializers.normal(1.0), (base, base, width))
        x = basis * Linear(width, name="latents")(latents)[:, None, None, :]
        for stage, (width, groups) in enumerate(zip(self.stages.widths, self.stages.groups, strict=True)):
            dtype = self.dtype if stage else jnp.float32
            if stage:
                if width != x.shape[-1]:
                    x = Linear(width, dtype=dtype, name=f"stage{stage}_width")(x)
                x = fir_up(x.astype(dtype))
            for block in range(self.stages.blocks):
                x = Block(groups, depth, dtype, name=f"stage{stage}_block{block}")(x)
        return Linear(self.shape[-1], dtype=self.dtype, name="pixels")(x).astype(jnp.float32)


class Discriminator(nn.Module):
    """images [B, H, W, C], label int32 [B] with `classes` -> logits float32 [B]: the generator's mirror image.

    With classes the features, as many as the coarsest stage is wide, are projected on the class's embedding.
    """

    stages: Stages = CIFAR10
    classes: int | None = None
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, label: jax.Array | None = None, *, train: bool) -> jax.Array:
        check_label(label, self.classes)
        base, depth = _base(images.shape[1:], self.stages), len(self.stages.widths) * self.stages.blocks
        x = Linear(self.stages.widths[-1], dtype=self.dtype, name="pixels")(images)
        for stage in reversed(range(len(self.stages.widths))):
            dtype = self.dtype if stage else jnp.float32
            x = x.astype(dtype)
            for block in range(self.stages.blocks):
                x = Block(self.stages.groups[stage], depth, dtype, name=f"stage{stage}_block{block}")(x)
            if stage:
                x = fir_down(x)
                if x.shape[-1] != self.stages.widths[stage - 1]:
                    x = Linear(self.stages.widths[stage - 1], dtype=dtype, name=f"stage{stage}_width")(x)
        basis = self.param("basis", _normal(1 / base), (base, base, x.shape[-1]))  # a depthwise, valid convolution
        features = jnp.einsum("bhwc,hwc->bc", x.astype(jnp.float32), basis)
        features = Linear(1 if self.classes is None else self.stages.widths[0], name="features")(features)
        if self.classes is None:
            return features[:, 0]
        width = self.stages.widths[0]
        table = self.param("embedding", _normal((width * self.classes) ** -0.5), (self.classes, width))
        assert label is not None  # check_label has seen to it
        return jnp.sum(features * lookup(table, label), axis=-1)


def _normal(std: float):
    return nn.initializers.normal(std) if std else nn.initializers.zeros


def _base(shape: tuple[int, ...], stages: Stages) -> int:
    """Rows of the coarsest map; UserError where the size is not a square that the stages can halve."""
    if len(stages.groups) != len(stages.widths):
        raise UserError(f"a network needs groups for each of its {len(stages.widths)} stages: got {stages.groups}")
    need_images(shape, "this network is")
    factor = 2 ** (len(stages.widths) - 1)
    if len(shape) != 3 or shape[0] != shape[1] or shape[0] % factor:
        some = ", ".join(str(factor * rows) for rows in (4, 5, 6, 7, 8))
        raise UserError(
            f"{len(stages.widths)} stages make square images of a multiple of {factor} pixels ({some}, …), "
            f"not {'×'.join(map(str, shape))}; use image data of such a size"
        )
    return shape[0] // factor
