"""InfoGAN: codes that images must reveal (Chen et al. 2016, arXiv:1606.03657).

    python experiments/infogan.py                             # mnist5k, 28x28, no labels used
    python -m gen_jax traverse runs/infogan-mnist5k-seed0

Latents are noise, one code of ten categories and two continuous ones. On digits the categories become digit classes
(up to order) and the continuous codes slant and width.
`auxiliary/*` is minus the bound on the mutual information, nats.
"""

from dataclasses import asdict, dataclass, field

import jax.numpy as jnp

from gen_jax import experiment
from gen_jax.core.types import Algorithm
from gen_jax.models.gan import gan
from gen_jax.models.gan_heads import Codes, infogan_head
from gen_jax.nets import dcgan
from gen_jax.nets.heads import WithHead
from gen_jax.objectives import adversarial


@dataclass(frozen=True)
class Hyper:
    lr_generator: float = 1e-3
    lr_discriminator: float = 2e-4
    b1: float = 0.5
    b2: float = 0.999
    information: float = 1.0
    """weight of the mutual information"""
    continuous: float = 0.1
    """weight of the continuous codes in it"""
    ema_decay: float = 0.99


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    noise: int = 62
    categories: int = 10
    groups: int = 1
    """categorical codes"""
    continuous: int = 2
    """continuous codes"""
    width: int = 32
    """channels of the widest image's layer; deeper layers double it"""
    hyper: Hyper = field(default_factory=Hyper)


def build(config: Config, data) -> Algorithm:
    dtype = jnp.dtype(config.precision)
    codes = Codes(config.noise, config.categories, config.groups, config.continuous)
    return gan(
        dcgan.Generator(data.shape, width=config.width, dtype=dtype),
        WithHead(dcgan.Discriminator(width=config.width, dtype=dtype), codes.outputs, hidden=128, dtype=dtype),
        loss=adversarial.non_saturating,
        shape=data.shape,
        latent_size=codes.size,
        latents=codes.draw,
        auxiliary=infogan_head(codes),
        hyper=asdict(config.hyper),
    )


if __name__ == "__main__":
    experiment.main(Config, build)
