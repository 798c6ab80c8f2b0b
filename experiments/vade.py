"""VaDE: clusters as the components of a VAE's prior (Jiang et al. 2017, arXiv:1611.05148). No label is read.

    python experiments/vade.py                                          # mnist5k: ten clusters
    python experiments/vade.py --data tfds:mnist --pretrain 20000 --steps 24000 --memory 20000    # seven CPU minutes
    python experiments/vade.py --data table:PATH --clusters 5
    python -m gen_jax evaluate runs/vade-mnist5k-seed0 --metrics held_out,clusters
    python experiments/vade.py --latent-size 2 && python -m gen_jax latents runs/vade-mnist5k-seed0     # a map

The published code begins at weights of an autoencoder that it ships; here an autoencoder learns for --pretrain rounds,
a mixture is fitted to its codes by EM, and the bound takes over, all in one run. Images are turned, scaled and shifted
a little at every visit of the autoencoder (--no-jitter: not); points and tables of numbers without gaps are learned
as they are, by a Gaussian.
Seeds differ: run several and keep the one with the best held-out ELBO, never the one that fits labels best. The
networks are half as wide as the paper's 500-500-2000 with 10 latents; the paper has .9446 accuracy on MNIST.

Expect clusters that agree with some 70 % of mnist5k's digits and 90 % of MNIST's, and seeds that differ
(docs/applications.md). One to two CPU minutes.
"""

from dataclasses import dataclass

import jax.numpy as jnp
from flax import linen as nn

from gen_jax import experiment
from gen_jax.core.domains import NonNegative, Size, Whole
from gen_jax.core.errors import UserError
from gen_jax.core.lines import say
from gen_jax.core.players import adam_by
from gen_jax.core.types import Algorithm
from gen_jax.data.source import Source
from gen_jax.models import vae
from gen_jax.models.vade import vade
from gen_jax.nets import mlp
from gen_jax.objectives import likelihoods
from gen_jax.objectives.jitter import jitter
from gen_jax.objectives.likelihoods import Binarization


@dataclass(frozen=True)
class Hyper(vae.Hyper):
    lr_bound: NonNegative = 2e-4
    """the rate from round `pretrain` on, of the bound; at the autoencoder's, groups run into one another again"""


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    batch_size: int = 100
    steps: int = 6000
    clusters: Size = 10
    pretrain: Whole = 3000
    """rounds as an autoencoder before the mixture is fitted"""
    memory: Size = 4000
    """latest codes that the mixture is fitted to"""
    latent_size: Size = 10
    width: Size = 250
    """units of the encoder's first two layers; the third has four times as many"""
    jitter: bool = True
    """turn (±15°), scale (±10 %) and shift (±7 %) images before the bound takes over"""
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    widths = (config.width, config.width, 4 * config.width)
    networks = {"activation": nn.relu, "dtype": config.dtype}
    images = len(data.shape) == 3
    if config.pretrain >= config.steps:
        say(f"--pretrain {config.pretrain:,} of --steps {config.steps:,}: an autoencoder, whose bound has not begun")
    if not config.pretrain and config.hyper.lr != Hyper.lr:
        raise UserError(
            "--hyper.lr is of the autoencoder, which --pretrain 0 leaves out; the bound has --hyper.lr-bound"
        )
    likelihood = likelihoods.bernoulli() if images else likelihoods.gaussian_learned()
    outputs = likelihood.parameters(data.shape[-1])
    return vade(
        mlp.Encoder(config.latent_size, widths=widths, **networks),
        mlp.Decoder(data.shape, outputs=outputs, widths=widths[::-1], **networks),
        likelihood=likelihood,
        binarization=Binarization.NONE,
        shape=data.shape,
        components=config.clusters,
        pretrain=config.pretrain,
        memory=min(config.memory, data.train.size, config.pretrain * config.batch_size or config.memory),
        augment=jitter if images and config.jitter else None,
        hyper=config.hyper,
        optimizer=adam_by(lambda hyper, step: jnp.where(step < config.pretrain, hyper["lr"], hyper["lr_bound"])),
    )


if __name__ == "__main__":
    experiment.main(Config, build)
