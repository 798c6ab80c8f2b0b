"""WGAN-GP: the critic's slope held at 1 by a penalty (Gulrajani et al. 2017, arXiv:1704.00028).

    python experiments/wgan_gp.py                             # mnist5k, 28x28
    python experiments/wgan_gp.py --data tfds:cifar10 --width 64

The paper's algorithm 1: five critic steps a round, lambda 10, Adam 1e-4 (0, .9), no BatchNorm in the critic.

Expect rough digits after about 1,000 rounds; the default run takes about 5 CPU minutes.
"""

from dataclasses import dataclass

from gen_jax import experiment
from gen_jax.core.domains import NonNegative, Size, Turns
from gen_jax.core.types import Algorithm
from gen_jax.data.source import Source
from gen_jax.models import gan, gan_terms
from gen_jax.models.gan_parts import normal_latents
from gen_jax.nets import dcgan
from gen_jax.nets.layers import LayerNorm
from gen_jax.objectives import adversarial


@dataclass(frozen=True, kw_only=True)
class Hyper(gan.Hyper):
    lr_generator: float = 1e-4
    lr_discriminator: float = 1e-4
    b1: float = 0.0
    b2: float = 0.9
    gradient_penalty: NonNegative = 10.0


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    latent_size: Size = 100
    width: Size = 32
    """channels of the widest image's layer; deeper layers double it"""
    n_critic: Turns = 5
    """critic steps a round"""
    layer_norm: bool = False
    """LayerNorm in the critic, which BatchNorm's dependence between examples rules out"""
    one_sided: bool = False
    """charge only slopes above 1"""
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    return gan.gan(
        dcgan.Generator(data.shape, width=config.width, dtype=config.dtype),
        dcgan.Discriminator(width=config.width, norm=LayerNorm if config.layer_norm else None, dtype=config.dtype),
        loss=adversarial.wasserstein,
        shape=data.shape,
        latents=normal_latents(config.latent_size),
        turns=gan.Turns(n_critic=config.n_critic),
        terms=(gan_terms.gradient_penalty(one_sided=config.one_sided),),
        hyper=config.hyper,
    )


if __name__ == "__main__":
    experiment.main(Config, build)
