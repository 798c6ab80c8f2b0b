"""Hierarchical VAE with top-down inference (Sønderby et al. 2016; VDVAE, Child 2021, arXiv:2011.10650).

python experiments/ladder_vae.py                              # 28 pixels: latents at 1, 7, 14 pixels

Adam at 1e-3 (.9, .999) and free bits of half a nat a level are neither paper's: VDVAE has AdamW at 2e-4 (.9, .9) with a
decay of .01 and no free bits, ladder VAEs Adamax at 3e-4. The limit of 200 on gradients is VDVAE's.

Expect a better bound than vae.py's and slower rounds; the default run takes about 15 CPU minutes.
"""

from dataclasses import dataclass

from gen_jax import experiment
from gen_jax.core.domains import DepthOrZero, NonNegative, Positive, Size, Whole
from gen_jax.core.errors import UserError
from gen_jax.core.types import Algorithm
from gen_jax.data.source import Source
from gen_jax.models import vae
from gen_jax.models.ladder_vae import ladder_vae
from gen_jax.nets import ladder
from gen_jax.objectives import likelihoods
from gen_jax.objectives.likelihoods import Binarization
from gen_jax.objectives.rate import FreeBits, linear_warmup


@dataclass(frozen=True)
class Hyper(vae.Hyper):
    free_bits: NonNegative = 0.5
    """nats a level that cost nothing (each example)"""
    clip_norm: Positive = 200.0
    """largest gradient norm"""
    ema_decay: float = 0.995


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    binarization: Binarization = Binarization.DYNAMIC
    blocks: tuple[DepthOrZero, ...] = (2, 2, 1, 0)
    """stochastic blocks at each resolution: one pixel, a quarter, a half and the whole of the image"""
    latents: Size = 8
    """channels of each level's latent"""
    width: Size = 48
    hidden: Size = 24
    """of the bottleneck in each block"""
    warm_up: Whole = 1000
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    dtype = config.dtype
    size = data.shape[0]
    if len(config.blocks) != 4 or not any(config.blocks):
        raise UserError(f"--blocks {' '.join(map(str, config.blocks))}: give 4 numbers, one a resolution, not all 0")
    stages = tuple(zip((1, size // 4, size // 2, size), config.blocks, strict=True))
    decoder = ladder.Decoder(
        stages,
        likelihoods.bernoulli().parameters(data.shape[-1]),
        width=config.width,
        hidden=config.hidden,
        latents=config.latents,
        dtype=dtype,
    )
    return ladder_vae(
        ladder.Encoder(stages, width=config.width, hidden=config.hidden, dtype=dtype),
        decoder,
        latent_shapes=decoder.latent_shapes,
        likelihood=likelihoods.bernoulli(),
        binarization=config.binarization,
        shape=data.shape,
        free_bits=FreeBits.PER_SAMPLE,
        warm_up=linear_warmup(config.warm_up),
        hyper=config.hyper,
    )


if __name__ == "__main__":
    experiment.main(Config, build)
