"""VQ-VAE (van den Oord et al. 2017, arXiv:1711.00937) with an autoregressive prior of its codes, trained beside it.

python experiments/vq_vae.py

The commitment is summed over the grid, as the likelihood is over the image, so at equal weight it pulls 49 times as
hard on a 7×7 grid as the paper's, which averages over the grid (--average-commitment; Sonnet averages over all
numbers). The codebook of 64 codes of 16 numbers is for digits: the authors' CIFAR-10 has 512 of 64.

Expect sharp reconstructions early, and samples that follow as the prior learns the codes; the default run takes about
15 CPU minutes.
"""

from dataclasses import dataclass
from typing import Annotated

from gen_jax import experiment
from gen_jax.core.domains import Depth, Interval, NonNegative, Positive, Share, Size
from gen_jax.core.types import Algorithm
from gen_jax.data.source import Source
from gen_jax.models.vq_vae import vq_vae
from gen_jax.nets import vq
from gen_jax.objectives import likelihoods


@dataclass(frozen=True)
class Hyper:
    lr: NonNegative = 1e-3
    b1: Share = 0.9
    b2: Share = 0.999
    lr_prior: NonNegative = 1e-3
    commitment: NonNegative = 0.25
    """weight of the squared distance between an encoding and its code"""
    codebook_decay: Share = 0.99
    revive: NonNegative = 1.0
    """latents a batch below which a code starts anew; 0: never"""
    ema_decay: Share = 0.99


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    sigma: Positive = 0.2
    """standard deviation of the gaussian likelihood, in units of the [-1, 1] image"""
    codes: Size = 64
    code_size: Size = 16
    """dimensions of a code vector"""
    stages: Depth = 2
    """halvings of the image: 28 pixels become a grid of 7 by 7 codes"""
    width: Annotated[int, Interval(2, 1_000_000)] = 64
    prior_layers: Depth = 6
    average_commitment: bool = False
    """average the commitment over the grid, as the paper does, rather than sum it"""
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    dtype = config.dtype
    return vq_vae(
        vq.Encoder(config.code_size, width=config.width, stages=config.stages, dtype=dtype),
        vq.Decoder(data.shape[-1], width=config.width, stages=config.stages, dtype=dtype),
        vq.CodePrior(config.codes, width=config.width, layers=config.prior_layers, dtype=dtype),
        likelihood=likelihoods.gaussian(config.sigma),
        shape=data.shape,
        codes=config.codes,
        average_commitment=config.average_commitment,
        hyper=config.hyper,
    )


if __name__ == "__main__":
    experiment.main(Config, build)
