"""DCGAN: a deep convolutional GAN (Radford, Metz & Chintala 2016, arXiv:1511.06434), and what is done to steady one.

    python experiments/dcgan.py                                   # mnist5k, 28x28
    python experiments/dcgan.py --data tfds:fashion_mnist         # after `python -m gen_jax prepare fashion_mnist`
    python experiments/dcgan.py --augment ada --r1-gamma 1        # for little data
    python experiments/dcgan.py --data stacked:mnist5k --packing 2 --batch-size 128

Expect recognisable digits after about 1,000 steps.
"""

from dataclasses import asdict, dataclass, field
from typing import Literal

import jax.numpy as jnp

from gen_jax import experiment
from gen_jax.core.types import Algorithm
from gen_jax.models import gan_terms
from gen_jax.models.gan import gan, need_whole_packs
from gen_jax.models.gan_parts import sequence
from gen_jax.nets import dcgan
from gen_jax.objectives.adversarial import Loss, smoothed


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
    label_smoothing: float = 0.0
    """real images count as real by 1 minus this (Salimans et al. 2016: .1)"""
    augment: Literal["none", "diffaugment", "ada"] = "none"
    """of everything the discriminator sees, without leaking into the samples"""
    instance_noise: float = 0.0
    """standard deviation of the noise on everything the discriminator sees, at first"""
    noise_steps: int = 2000
    """over which the instance noise falls to 0"""
    minibatch_stddev: int | None = None
    """rows of a group whose standard deviation the discriminator sees (Karras et al. 2018: 4)"""
    packing: int = 1
    """images that the discriminator judges at once (PacGAN)"""
    top_k: int | None = None
    """learn from the best fakes only; rounds after which k shrinks by a hundredth (Sinha et al. 2020: an epoch)"""
    clip_norm: float | None = None
    """largest norm of each player's gradient"""
    r1_gamma: float = 0.0
    """weight of the R1 penalty; use it with --no-batch-norm"""
    batch_norm: bool = True
    """in the discriminator"""
    hyper: Hyper = field(default_factory=Hyper)


def build(config: Config, data) -> Algorithm:
    dtype = jnp.dtype(config.precision)
    need_whole_packs(config.packing, config.batch_size, config.devices or 1)
    extra = {"clip_norm": config.clip_norm, "r1_gamma": config.r1_gamma, "instance_noise": config.instance_noise}
    augments, controllers = [], []
    if config.instance_noise:
        augments.append(gan_terms.instance_noise(horizon=config.noise_steps))
    if config.augment == "diffaugment":
        augments.append(gan_terms.diff_augment())
    if config.augment == "ada":
        augment, controller = gan_terms.adaptive_augment()
        augments.append(augment)
        controllers.append(controller)
    return gan(
        dcgan.Generator(data.shape, width=config.width, dtype=dtype),
        dcgan.Discriminator(
            width=config.width,
            norm=dcgan.batch_norm if config.batch_norm else None,
            dropout=config.dropout,
            stddev_group=config.minibatch_stddev,
            dtype=dtype,
        ),
        loss=smoothed(config.loss.value, 1 - config.label_smoothing) if config.label_smoothing else config.loss.value,
        shape=data.shape,
        latent_size=config.latent_size,
        n_critic=config.n_critic,
        share_fakes=config.share_fakes,
        packing=config.packing,
        adapt=gan_terms.top_k(config.top_k, config.packing) if config.top_k else None,
        augment=sequence(*augments) if augments else None,
        penalties=(gan_terms.r1(),) if config.r1_gamma else (),
        controllers=tuple(controllers),
        hyper=asdict(config.hyper) | {name: value for name, value in extra.items() if value},
    )


if __name__ == "__main__":
    experiment.main(Config, build)
