"""WGAN: the Wasserstein distance by a critic with clipped weights (Arjovsky et al. 2017, arXiv:1701.07875).

    python experiments/wgan.py                                # mnist5k, 28x28

The paper's algorithm 1: RMSprop (PyTorch's) at 5e-5, weights in [-.01, .01], five critic steps a round, where the
authors' code takes 100 in its first 25 rounds and in every 500th. Minus the critic's loss estimates the distance, and
falls as samples improve. Slower than wgan_gp: 2,000 rounds give rough digits.

Expect rough digits after 2,000 rounds; the default run takes about 5 CPU minutes.
"""

from dataclasses import dataclass

from gen_jax import experiment
from gen_jax.core.domains import NonNegative, Positive, Share, Size, Turns
from gen_jax.core.players import rmsprop
from gen_jax.core.types import Algorithm
from gen_jax.data.source import Source
from gen_jax.models import gan, gan_terms
from gen_jax.models.gan_parts import normal_latents
from gen_jax.nets import dcgan
from gen_jax.objectives import adversarial


@dataclass(frozen=True)
class Hyper:
    lr_generator: NonNegative = 5e-5
    lr_discriminator: NonNegative = 5e-5
    clip: Positive = 0.01
    """bound of every weight of the critic"""
    ema_decay: Share = 0.99


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    latent_size: Size = 100
    width: Size = 32
    """channels of the widest image's layer; deeper layers double it"""
    n_critic: Turns = 5
    """critic steps a round"""
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    return gan.gan(
        dcgan.Generator(data.shape, width=config.width, dtype=config.dtype),
        dcgan.Discriminator(width=config.width, dtype=config.dtype),
        loss=adversarial.wasserstein,
        shape=data.shape,
        latents=normal_latents(config.latent_size),
        turns=gan.Turns(n_critic=config.n_critic),
        terms=(gan_terms.weight_clipping("clip"),),
        optimizers={"generator": rmsprop("lr_generator"), "discriminator": rmsprop("lr_discriminator")},
        hyper=config.hyper,
    )


if __name__ == "__main__":
    experiment.main(Config, build)
