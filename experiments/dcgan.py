"""DCGAN: a deep convolutional GAN (Radford, Metz & Chintala 2016, arXiv:1511.06434).

    python experiments/dcgan.py                                   # mnist5k, 28x28
    python experiments/dcgan.py --data tfds:fashion_mnist         # after `python -m gen_jax prepare fashion_mnist`

Expect recognisable digits after about 1,000 steps.
"""

from dataclasses import asdict, dataclass, field

import jax.numpy as jnp

from gen_jax import experiment
from gen_jax.core.types import Algorithm
from gen_jax.models.gan import gan
from gen_jax.nets import dcgan
from gen_jax.objectives.adversarial import Loss


@dataclass(frozen=True)
class Hyper:
    lr_generator: float = 2e-4
    lr_discriminator: float = 2e-4
    b1: float = 0.5
    b2: float = 0.999
    ema_decay: float = 0.99


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    loss: Loss = Loss.non_saturating
    latent_size: int = 100
    width: int = 64
    """channels of the widest image's layer; deeper layers double it"""
    dropout: float = 0.0
    """in the discriminator"""
    n_critic: int = 1
    """discriminator steps a round"""
    share_fakes: bool = False
    """both players see one fake batch a round (about a tenth faster); otherwise each draws its own"""
    hyper: Hyper = field(default_factory=Hyper)


def build(config: Config, data) -> Algorithm:
    dtype = jnp.dtype(config.precision)
    return gan(
        dcgan.Generator(data.shape, width=config.width, dtype=dtype),
        dcgan.Discriminator(width=config.width, dropout=config.dropout, dtype=dtype),
        loss=config.loss.value,
        shape=data.shape,
        latent_size=config.latent_size,
        n_critic=config.n_critic,
        share_fakes=config.share_fakes,
        hyper=asdict(config.hyper),
    )


if __name__ == "__main__":
    experiment.main(Config, build)
