"""The plain GAN: two multilayer perceptrons (Goodfellow et al. 2014, arXiv:1406.2661).

python experiments/gan.py                     # mnist5k, 28x28
python experiments/gan.py --loss minimax      # the paper's equation 1, which saturates
python experiments/gan.py --data ring8 --loss minimax --width 64 --steps 3000 --hyper.lr-generator 1e-3 \\
    --hyper.lr-discriminator 1e-3             # eight Gaussians on a ring: watch it drop modes

The game is the paper's, the rest of today: Adam for its momentum, leaky units for its maxout and dropout, and in a
generator of images batch norm, without which it makes one blot here, whatever the latents.

Expect recognisable, speckled digits after about 1,500 steps; on the ring, with the flags above, 6 of 8 modes by step
1,000 and fewer again by 3,000; the default run takes about 1 CPU minute.
"""

from dataclasses import dataclass

from gen_jax import experiment
from gen_jax.core.domains import Depth, Size
from gen_jax.core.types import Algorithm
from gen_jax.data.source import Source
from gen_jax.models import gan
from gen_jax.models.gan_parts import normal_latents
from gen_jax.nets import mlp
from gen_jax.nets.layers import BatchNorm
from gen_jax.objectives.adversarial import Loss


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    loss: Loss = Loss.non_saturating
    latent_size: Size = 100
    width: Size = 512
    depth: Depth = 3
    """hidden layers in each player"""
    batch_norm: bool | None = None
    """of the generator's layers; None: where data are images"""
    hyper: gan.Hyper = gan.Hyper()


def build(config: Config, data: Source) -> Algorithm:
    widths = (config.width,) * config.depth
    images = len(data.shape) > 1
    norm = BatchNorm if (images if config.batch_norm is None else config.batch_norm) else None
    return gan.gan(
        mlp.Generator(data.shape, widths=widths, norm=norm, dtype=config.dtype),
        mlp.Discriminator(widths=widths, dtype=config.dtype),
        loss=config.loss.value,
        shape=data.shape,
        latents=normal_latents(config.latent_size),
        hyper=config.hyper,
    )


if __name__ == "__main__":
    experiment.main(Config, build)
