"""A conditional DCGAN: both players are told the label (Mirza & Osindero 2014, arXiv:1411.1784).

    python experiments/cgan.py                                # mnist5k, 28x28
    python -m gen_jax sample runs/cgan-mnist5k-seed0 --label 3

The label joins the generator's latents, and the discriminator's image as constant maps, one a class (the paper's
players are perceptrons, trained by momentum). Expect recognisable digits of the label asked for after about 1,500
steps; after 6,000 a LeNet trained on real digits reads the label asked for in 98 % of 1,000 samples (`--steps 6000`,
then `python -m gen_jax evaluate RUN --metrics cas`).
"""

from dataclasses import dataclass

from gen_jax import experiment
from gen_jax.core.domains import Size
from gen_jax.core.types import LABEL, Algorithm
from gen_jax.data.source import Source
from gen_jax.models import gan
from gen_jax.models.gan_checks import need_labels
from gen_jax.models.gan_parts import normal_latents
from gen_jax.nets import dcgan
from gen_jax.objectives.adversarial import Loss


@dataclass(frozen=True, kw_only=True)
class Hyper(gan.Hyper):
    ema_decay: float = 0.999


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    loss: Loss = Loss.non_saturating
    latent_size: Size = 100
    width: Size = 32
    """channels of the widest image's layer; deeper layers double it"""
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    classes = need_labels(data.classes, "cgan", data.name)
    return gan.gan(
        dcgan.Generator(data.shape, width=config.width, classes=classes, dtype=config.dtype),
        dcgan.Discriminator(width=config.width, classes=classes, dtype=config.dtype),
        loss=config.loss.value,
        shape=data.shape,
        latents=normal_latents(config.latent_size),
        given=LABEL,
        hyper=config.hyper,
    )


if __name__ == "__main__":
    experiment.main(Config, build)
