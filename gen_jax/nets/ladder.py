"""A top-down hierarchy of latents: VDVAE's residual networks (Child 2021), ladder inference (Sønderby et al. 2016).

The architecture is data: `stages`, from coarse to fine, of (resolution, number of stochastic blocks). The encoder
leaves its activations at every resolution; each top-down block makes q(z|x, above) from them and p(z|above) without
them. Noise comes from outside, so that it does not depend on the layout.

Departures from VDVAE's code: the tanh form of GELU, normal kernels (theirs are PyTorch's uniform ones, narrower by
sqrt 3), heads of log-variances rather than log-deviations, posterior heads that start at 0 as the priors do (so the KL
does), and GELU before the last 1×1 convolution, where theirs has a gain and a bias a channel.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core.errors import UserError
from gen_jax.nets.layers import Conv, Initializer

Stages = Sequence[tuple[int, int]]
ZERO = nn.initializers.zeros_init()
LECUN = nn.initializers.variance_scaling(1.0, "fan_in", "normal")  # not truncated: a deep stack compiles faster


def _small(blocks: int) -> Initializer:
    """How residual branches end, in encoder and decoder: the usual start over sqrt(blocks), or a deep stack would start
    out loud (Child 2021, section 3.2)."""
    return nn.initializers.variance_scaling(1.0 / blocks, "fan_in", "normal")


def check_stages(stages: Stages, size: int) -> None:
    """UserError unless the resolutions rise from coarse to fine, each dividing the next, up to `size`."""
    resolutions = [resolution for resolution, _ in stages]
    rising = all(b % a == 0 and b > a for a, b in pairwise(resolutions))
    if not resolutions or not rising or resolutions[-1] != size:
        raise UserError(
            f"ladder resolutions must each divide the next and end at the image's {size}, not {resolutions}"
        )


class Block(nn.Module):
    """Bottleneck 1-3-3-1 convolutions after GELU, [B, r, r, C] -> [B, r, r, features]; 3×3 only above 2 pixels."""

    features: int
    hidden: int
    last: Initializer = LECUN
    residual: bool = False
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        size = 3 if x.shape[1] > 2 else 1
        y = x
        for kernel in (1, size, size):
            y = Conv(self.hidden, kernel, dtype=self.dtype, kernel_init=LECUN)(nn.gelu(y))
        y = Conv(self.features, 1, dtype=self.dtype, kernel_init=self.last)(nn.gelu(y))
        return x + y if self.residual else y


class Encoder(nn.Module):
    """Images [B, S, S, C] -> activations {resolution as str: [B, r, r, width]} at the resolutions of `stages`."""

    stages: Stages
    width: int = 32
    hidden: int = 16
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> dict[str, jax.Array]:
        if x.shape[1] != x.shape[2]:
            height, width = x.shape[1:3]
            raise UserError(
                f"a ladder is of square images, and these are {width}×{height}; use --image-size {min(height, width)}"
            )
        check_stages(self.stages, x.shape[1])
        x = Conv(self.width, 3, dtype=self.dtype)(x)
        counts = [max(count, 1) for _, count in self.stages]
        small, found = _small(sum(counts)), {}
        for (resolution, _), count in zip(reversed(self.stages), reversed(counts), strict=True):
            step = x.shape[1] // resolution
            x = nn.avg_pool(x, (step, step), (step, step)) if step > 1 else x
            for _ in range(count):
                x = Block(self.width, self.hidden, small, residual=True, dtype=self.dtype)(x)
            found[str(resolution)] = x
        return found


class Decoder(nn.Module):
    """Top-down: activations (None to sample) and standard normal noise -> (outputs [B, S, S, outputs], levels).

    noise: a tuple of [B, r, r, latents], one a block, coarse to fine (`latent_shapes`). levels: for each block
    {"z", "q_mean", "q_log_variance", "p_mean", "p_log_variance"}, q's only where there are activations.
    """

    stages: Stages
    outputs: int
    width: int = 32
    hidden: int = 16
    latents: int = 4
    dtype: Any = jnp.float32

    @property
    def latent_shapes(self) -> tuple[tuple[int, int, int], ...]:
        return tuple((resolution, resolution, self.latents) for resolution, count in self.stages for _ in range(count))

    @nn.compact
    def __call__(self, activations: dict[str, jax.Array] | None, noise: tuple[jax.Array, ...], *, train: bool):
        first = self.stages[0][0]
        start = self.param("start", ZERO, (first, first, self.width))
        x = jnp.broadcast_to(start, (noise[0].shape[0], *start.shape)).astype(self.dtype)
        small, levels, number = _small(len(noise)), [], 0
        for resolution, count in self.stages:
            repeat = resolution // x.shape[1]
            x = jnp.repeat(jnp.repeat(x, repeat, axis=1), repeat, axis=2) if repeat > 1 else x
            bias = self.param(f"place_{resolution}", ZERO, (resolution, resolution, self.width))
            x = x + bias.astype(self.dtype)
            for _ in range(count):
                seen = activations[str(resolution)] if activations else None
                x, level = self.descend(x, seen, noise[number], number, small)
                levels.append(level)
                number += 1
        outputs = Conv(self.outputs, 1, dtype=self.dtype)(nn.gelu(x))
        return outputs.astype(jnp.float32), tuple(levels)

    def descend(self, x: jax.Array, seen: jax.Array | None, noise: jax.Array, number: int, small: Initializer):
        size, level = self.latents, {}
        above = Block(2 * size + self.width, self.hidden, ZERO, dtype=self.dtype, name=f"prior_{number}")(x)
        p_mean, p_log_variance = (above[..., i * size : (i + 1) * size].astype(jnp.float32) for i in (0, 1))
        mean, log_variance = p_mean, p_log_variance
        if seen is not None:
            pair = jnp.concatenate([x, seen.astype(x.dtype)], axis=-1)
            found = Block(2 * size, self.hidden, ZERO, dtype=self.dtype, name=f"posterior_{number}")(pair)
            mean, log_variance = jnp.split(found.astype(jnp.float32), 2, axis=-1)
            level |= {"q_mean": mean, "q_log_variance": log_variance}
        z = mean + jnp.exp(0.5 * log_variance) * noise
        level |= {"z": z, "p_mean": p_mean, "p_log_variance": p_log_variance}
        x = x + above[..., 2 * size :]
        x = x + Conv(self.width, 1, dtype=self.dtype, kernel_init=small, name=f"inject_{number}")(z)
        x = Block(self.width, self.hidden, small, residual=True, dtype=self.dtype, name=f"block_{number}")(x)
        return x, level
