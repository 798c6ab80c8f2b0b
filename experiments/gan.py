"""The plain GAN: two multilayer perceptrons (Goodfellow et al. 2014, arXiv:1406.2661).

python experiments/gan.py                     # mnist5k, 28x28
python experiments/gan.py --loss minimax      # the paper's equation 1, which saturates
python experiments/gan.py --data ring8        # eight Gaussians on a ring: watch it drop modes
"""

from dataclasses import asdict, dataclass, field

import jax.numpy as jnp

from gen_jax import experiment
from gen_jax.core.types import Algorithm
from gen_jax.models.gan import gan
from gen_jax.nets import mlp
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
    width: int = 512
    depth: int = 3
    """hidden layers in each player"""
    hyper: Hyper = field(default_factory=Hyper)


def build(config: Config, data) -> Algorithm:
    widths, dtype = (config.width,) * config.depth, jnp.dtype(config.precision)
    return gan(
        mlp.Generator(data.shape, widths=widths, dtype=dtype),
        mlp.Discriminator(widths=widths, dtype=dtype),
        loss=config.loss.value,
        shape=data.shape,
        latent_size=config.latent_size,
        hyper=asdict(config.hyper),
    )


if __name__ == "__main__":
    experiment.main(Config, build)
