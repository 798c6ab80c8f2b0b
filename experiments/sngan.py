"""SNGAN: spectral normalisation and ResNets (Miyato et al. 2018, arXiv:1802.05957); with --conditional, projection too.

    python experiments/sngan.py                                             # mnist5k, 28x28, narrow
    python experiments/sngan.py --data tfds:cifar10 --width 256 --critic-width 128 --steps 100000 \\
        --decay-steps 100000                                                # mimicry's CIFAR-10: 4.28 M and 1.05 M

Mimicry reports FID 16.8 on CIFAR-10 for the second. The published networks want an accelerator.

Expect recognisable digits after about 1,000 rounds; the default run takes about 11 CPU minutes.
"""

from dataclasses import dataclass

import optax

from gen_jax import experiment
from gen_jax.core.domains import NonNegative, Share, Size, Turns, Whole
from gen_jax.core.errors import UserError
from gen_jax.core.types import LABEL, Algorithm
from gen_jax.data.source import Source
from gen_jax.models import gan
from gen_jax.models.gan_parts import normal_latents
from gen_jax.nets import sngan
from gen_jax.objectives.adversarial import Loss


@dataclass(frozen=True)
class Hyper:
    lr_generator: NonNegative = 2e-4
    lr_discriminator: NonNegative = 2e-4
    b1: Share = 0.0
    b2: Share = 0.9


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    loss: Loss = Loss.hinge
    latent_size: Size = 128
    width: Size = 32
    """the generator's channels; published: 256 to 32 pixels, 1024 (of the widest map) above"""
    critic_width: Size = 16
    """the discriminator's channels; published: 128 to 32 pixels, 1024 above"""
    conditional: bool = False
    """class-conditional, by conditional batch normalisation and projection"""
    n_critic: Turns = 5
    """discriminator steps a round"""
    decay_steps: Whole = 0
    """rounds over which both learning rates fall linearly to 0, as published; 0: constant"""
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    if config.conditional and data.classes is None:
        raise UserError(f"{data.name} has no labels: leave out --conditional")
    classes = data.classes if config.conditional else None

    def adam(rate: str, steps: int):
        def make(hyper):
            falling = optax.linear_schedule(hyper[rate], 0.0, config.decay_steps * steps)
            return optax.adam(falling if config.decay_steps else hyper[rate], hyper["b1"], hyper["b2"])

        return make

    return gan.gan(
        sngan.Generator(data.shape, config.width, classes, dtype=config.dtype),
        sngan.Discriminator(config.critic_width, classes, dtype=config.dtype),
        loss=config.loss.value,
        shape=data.shape,
        latents=normal_latents(config.latent_size),
        given=LABEL if config.conditional else {},
        turns=gan.Turns(n_critic=config.n_critic),
        optimizers={
            "generator": adam("lr_generator", 1),
            "discriminator": adam("lr_discriminator", config.n_critic),
        },
        hyper=config.hyper,
    )


if __name__ == "__main__":
    experiment.main(Config, build)
