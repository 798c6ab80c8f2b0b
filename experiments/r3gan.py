"""R3GAN: a relativistic loss with R1 and R2, and networks without normalisation (Huang et al. 2024, arXiv:2501.05441).

    python experiments/r3gan.py                                             # mnist5k, 28x28, narrow
    python experiments/r3gan.py --data tfds:cifar10 --conditional --batch-size 512 --blocks 2 \\
        --widths 768 768 768 768 --hyper.gamma 0.05 --horizon 39062 --steps 400000   # the authors' CIFAR-10

FFHQ-64 is --widths 768 768 768 768 384 --batch-size 256 --hyper.gamma 2; ImageNet-32 --widths 1536 1536 1536 1536
--group 32 --batch-size 4096 --hyper.gamma 0.5. With --horizon N, N rounds along half a cosine take gamma to a tenth,
the learning rate to a quarter and beta 2 from .9 to .99, as published (--hyper.b2 holds it where it is given).

The authors report FID 1.96 for the second (networks of 20.8 M and 21.3 M parameters), where average and augmentation
follow schedules too (half-life 0 to 5 M images, p 0 to .55) that this script does not have, as it has none of their
mirrored images. R1 and R2 are of a forward pass of their own. It wants an accelerator.

Expect rough digits by the end of the default run, about 20 CPU minutes. An image teaches it more than it teaches a
DCGAN of width 32, and costs more: after 83,000 images of mnist5k FD-LeNet is 85 against 99, but its rounds take six
times as long on a CPU (350 against 60 CPU ms), and in 15 CPU minutes it has seen those 83,000 where the DCGAN in 3 has
seen 192,000 and has 70. So take it where images are few or the device is wide; on a CPU, in equal time, a DCGAN wins.
"""

from dataclasses import asdict, dataclass

import optax

from gen_jax import experiment
from gen_jax.core.domains import Count, Depth, NonNegative, Share, Size
from gen_jax.core.errors import UserError
from gen_jax.core.types import LABEL, Algorithm
from gen_jax.data.source import Source
from gen_jax.models import gan, gan_terms
from gen_jax.models.gan_parts import normal_latents
from gen_jax.nets import r3gan
from gen_jax.objectives.adversarial import Loss

B2 = 0.99


@dataclass(frozen=True, kw_only=True)
class Hyper(gan.Hyper):
    b1: float = 0.0
    b2: Share | None = None  # pyright: ignore[reportIncompatibleVariableOverride]
    """.99 by default, and with --horizon its schedule"""
    gamma: NonNegative = 1.0
    """of R1 and R2: the loss has gamma / 2 times each"""


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    loss: Loss = Loss.relativistic
    latent_size: Size = 64
    widths: tuple[Size, ...] = (64, 32, 16)
    """channels of the stages, coarsest first: three make 28 pixels from 7×7, four make 32 from 4×4"""
    group: Size = 16
    """channels in a group of the 3×3 convolutions; published: 16, and 32 on ImageNet-32"""
    blocks: Depth = 1
    """in each stage; published: 2"""
    conditional: bool = False
    """use the labels"""
    horizon: Count | None = None
    """rounds of the schedules of gamma, learning rate and beta 2; by default they are constant"""
    hyper: Hyper = Hyper()


def falling(horizon: int | None, end: float):
    """1 at first, `end` times that after `horizon` rounds, along half a cosine; 1 throughout without a horizon."""
    return optax.cosine_decay_schedule(1.0, horizon, alpha=end) if horizon else optax.constant_schedule(1.0)


def adam(rate: str, horizon: int | None, scheduled_b2: bool):
    """Adam whose learning rate falls to a quarter and, where that is asked for, whose 1 - beta 2 falls to a tenth of
    .1, the published .9 to .99."""
    lr, rest = falling(horizon, 0.25), falling(horizon, 0.1)

    def optimizer(hyper):
        b2 = (lambda count: 1.0 - 0.1 * rest(count)) if scheduled_b2 else (lambda count: hyper["b2"])
        scheduled = optax.inject_hyperparams(optax.adam)
        return scheduled(learning_rate=lambda count: hyper[rate] * lr(count), b1=lambda count: hyper["b1"], b2=b2)

    return optimizer


def schedules_b2(config: Config) -> bool:
    """Whether beta 2 follows the schedule: a value that is given holds."""
    return config.horizon is not None and config.hyper.b2 is None


def hypers(config: Config) -> dict[str, float | None]:
    """The scalars, beta 2 among them where no schedule has it."""
    found = asdict(config.hyper)
    return found if schedules_b2(config) or config.hyper.b2 is not None else {**found, "b2": B2}


def build(config: Config, data: Source) -> Algorithm:
    if config.conditional and data.classes is None:
        raise UserError(f"{data.name} has no labels: leave out --conditional")
    classes = data.classes if config.conditional else None
    if not config.widths:
        raise UserError("--widths: give the channels of one stage or more, such as 64 32 16")
    stages = r3gan.stages_of(config.widths, config.group, config.blocks)
    scheduled_b2 = schedules_b2(config)
    return gan.gan(
        r3gan.Generator(data.shape, stages, classes, dtype=config.dtype),
        r3gan.Discriminator(stages, classes, dtype=config.dtype),
        loss=config.loss.value,
        shape=data.shape,
        latents=normal_latents(config.latent_size),
        given=LABEL if config.conditional else {},
        turns=gan.Turns(fresh_reals=True),
        terms=(gan_terms.scheduled(gan_terms.r1_and_r2(), falling(config.horizon, 0.1)),),
        optimizers={
            "generator": adam("lr_generator", config.horizon, scheduled_b2),
            "discriminator": adam("lr_discriminator", config.horizon, scheduled_b2),
        },
        hyper=hypers(config),
    )


if __name__ == "__main__":
    experiment.main(Config, build)
