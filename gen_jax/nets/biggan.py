"""BigGAN's class-conditional ResNets (Brock, Donahue & Simonyan 2019, arXiv:1809.11096).

Two published forms: `plain`, which its authors train on CIFAR-10, and `hierarchical`, the paper's own, where each block
gets a share of the latents beside a class embedding that all blocks share. Both normalise every kernel spectrally.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core.errors import UserError
from gen_jax.nets.attention import SelfAttention
from gen_jax.nets.conditioning import ConditionalBatchNorm, VectorBatchNorm, check_label, lookup
from gen_jax.nets.layers import BatchNorm, Conv, Dense
from gen_jax.nets.resample import nearest_up
from gen_jax.nets.resnet import NORMAL, ORTHOGONAL, GeneratorBlock, Inits, Resample
from gen_jax.nets.sngan import PLANS, Discriminator, Plan, check_attention, divide, plan_for


class Generator(nn.Module):
    """latents [B, d], label int32 [B] -> images [B, *shape] in [-1, 1]. UserError for sizes it cannot make.

    shared: size of the class embedding that all blocks share; None gives each normalisation a gain and a bias a class.
    hierarchical: latents are cut into one chunk for the first layer and one for each block, in order; d must be a
    multiple of their number. width: channels of the widest map. attention: after which block.
    """

    shape: tuple[int, ...]
    classes: int
    width: int
    shared: int | None = None
    hierarchical: bool = False
    attention: int | None = None
    up: Resample = nearest_up
    spectral: bool = True
    inits: Inits = ORTHOGONAL
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, latents: jax.Array, label: jax.Array | None = None, *, train: bool) -> jax.Array:
        plan = bigger_plan(self.shape)
        check_label(label, self.classes)
        check_attention(self.attention, len(plan.ups))
        chunks, norm = self._chunks(latents, len(plan.ups)), self._norm()
        embedded = self._embed(label)  # pyright: ignore[reportArgumentType]
        common = {"spectral": self.spectral, "dtype": self.dtype}
        linear = Dense(plan.base**2 * self.width, kernel_init=self.inits.other, name="linear", **common)
        x = linear(chunks[0], train=train).reshape(-1, plan.base, plan.base, self.width)
        for i, fraction in enumerate(plan.ups, 1):
            block = GeneratorBlock(
                divide(self.width, fraction), norm, self.up, inits=self.inits, name=f"block{i}", **common
            )
            condition = jnp.concatenate([embedded, chunks[i]], axis=-1) if self.hierarchical else embedded
            x = block(x, condition, train=train)
            if i == self.attention:
                x = SelfAttention(kernel_init=self.inits.other, name="attention", **common)(x, train=train)
        x = nn.relu(BatchNorm(dtype=self.dtype, name="norm")(x, train=train))
        pixels = Conv(self.shape[-1], kernel_init=self.inits.other, name="pixels", **common)(x, train=train)
        return jnp.tanh(pixels.astype(jnp.float32))

    def _chunks(self, latents: jax.Array, blocks: int) -> list[jax.Array]:
        if not self.hierarchical:
            return [latents]
        if self.shared is None:
            raise UserError("hierarchical latents join a shared class embedding: give its size, for example shared=128")
        if latents.shape[-1] % (blocks + 1):
            raise UserError(
                f"hierarchical latents are cut into {blocks + 1} equal chunks at this image size: "
                f"{latents.shape[-1]} cannot be; {20 * (blocks + 1)} would do"
            )
        return jnp.split(latents, blocks + 1, axis=-1)

    def _norm(self):
        if self.shared is None:
            init = self.inits.other
            return partial(ConditionalBatchNorm, self.classes, gain_init=init, bias_init=init)
        return partial(VectorBatchNorm, self.spectral, kernel_init=self.inits.other)

    def _embed(self, label: jax.Array) -> jax.Array:
        if self.shared is None:
            return label
        return lookup(self.param("shared", self.inits.other, (self.classes, self.shared)), label)


def plain(
    shape: tuple[int, ...], classes: int, width: int = 256, critic_width: int | None = None, dtype: Any = jnp.float32
) -> tuple[Generator, Discriminator]:
    """(generator, discriminator) of BigGAN-PyTorch's CIFAR-10 script: gains by class, N(0, .02), no attention.

    Published with width 256 in both (the default of critic_width is width) and 128 latents.
    """
    generator = Generator(shape, classes, width, inits=NORMAL, dtype=dtype)
    plan = bigger_plan(shape)
    return generator, Discriminator(critic_width or width, classes, wide=True, plan=plan, inits=NORMAL, dtype=dtype)


def hierarchical(
    shape: tuple[int, ...],
    classes: int,
    width: int = 384,
    critic_width: int | None = None,
    shared: int = 128,
    attention: tuple[int | None, int | None] = (2, 1),
    dtype: Any = jnp.float32,
) -> tuple[Generator, Discriminator]:
    """(generator, discriminator) of the paper: hierarchical latents, shared embedding, attention, orthogonal start.

    attention: after which block of each; (2, 1) is StudioGAN's at 32 pixels, (4, 1) the authors' at 128, and None is
    none. StudioGAN publishes width 384, critic_width 192 and 80 latents at 32 pixels; the authors 1536, 1536 and 120
    at 128. critic_width is half of width by default.
    """
    generator = Generator(shape, classes, width, shared, True, attention[0], dtype=dtype)
    return generator, Discriminator(
        critic_width or width // 2,
        classes,
        attention[1],
        wide=True,
        plan=bigger_plan(shape),
        inits=ORTHOGONAL,
        dtype=dtype,
    )


def bigger_plan(shape: tuple[int, ...]) -> Plan:
    """SNGAN's plan for the size, but for 64 pixels, where BigGAN's last discriminator block keeps the size."""
    plan = plan_for(shape)
    return plan._replace(downs=plan.downs[:-1], flat=plan.downs[-1:]) if plan == PLANS[64] else plan
