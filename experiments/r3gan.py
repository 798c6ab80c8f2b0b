"""R3GAN: a relativistic loss with R1 and R2, and networks without normalisation (Huang et al. 2024, arXiv:2501.05441).

    python experiments/r3gan.py                                             # mnist5k, 28x28, narrow
    python experiments/r3gan.py --data tfds:cifar10 --conditional --batch-size 512 --blocks 2 \\
        --widths 768 768 768 768 --hyper.gamma 0.05 --steps 40000           # the authors' CIFAR-10: 20.8 M and 21.3 M

FFHQ-64 is --widths 768 768 768 768 384 --batch-size 256 --hyper.gamma 2; ImageNet-32 --widths 1536 1536 1536 1536
--group 32 --batch-size 4096 --hyper.gamma 0.5.

The authors report FID 1.96 for the second, with schedules of gamma, learning rate, beta 2, average and augmentation
that this script holds constant (.05 to .005, 2e-4 to 5e-5, .9 to .99, half-life 0 to 5 M images, p 0 to .55). It wants
an accelerator.
"""

from dataclasses import asdict, dataclass, field

import jax.numpy as jnp

from gen_jax import experiment
from gen_jax.core.errors import UserError
from gen_jax.core.types import Algorithm
from gen_jax.models.gan import gan
from gen_jax.models.gan_parts import Penalty
from gen_jax.nets import r3gan
from gen_jax.objectives import penalties
from gen_jax.objectives.adversarial import Loss


@dataclass(frozen=True)
class Hyper:
    lr_generator: float = 2e-4
    lr_discriminator: float = 2e-4
    b1: float = 0.0
    b2: float = 0.99
    gamma: float = 1.0
    """of R1 and R2: the loss has gamma / 2 times each"""
    ema_decay: float = 0.99


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    loss: Loss = Loss.relativistic
    latent_size: int = 64
    widths: tuple[int, ...] = (32, 32, 32)
    """channels of the stages, coarsest first: three make 28 pixels from 7×7, four make 32 from 4×4"""
    group: int = 16
    """channels in a group of the 3×3 convolutions; published: 16, and 32 on ImageNet-32"""
    blocks: int = 1
    """in each stage; published: 2"""
    conditional: bool = False
    """use the labels"""
    hyper: Hyper = field(default_factory=Hyper)


def build(config: Config, data) -> Algorithm:
    if config.conditional and data.classes is None:
        raise UserError(f"{data.name} has no labels: leave out --conditional")
    classes, dtype = data.classes if config.conditional else None, jnp.dtype(config.precision)
    stages = r3gan.stages_of(config.widths, config.group, config.blocks)
    both = Penalty(
        "gamma",
        lambda view: 0.5 * (penalties.r1(view.critic, view.real) + penalties.r2(view.critic, view.fake)),
    )
    return gan(
        r3gan.Generator(data.shape, stages, classes, dtype=dtype),
        r3gan.Discriminator(stages, classes, dtype=dtype),
        loss=config.loss.value,
        shape=data.shape,
        latent_size=config.latent_size,
        classes=classes,
        fresh_reals=True,
        penalties=(both,),
        hyper=asdict(config.hyper),
    )


if __name__ == "__main__":
    experiment.main(Config, build)
