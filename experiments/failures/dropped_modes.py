"""Broken on purpose: a plain GAN on 25 Gaussians, which finds some of them and stays there.

    python experiments/failures/dropped_modes.py

Samples vary about as much as the data, so mode collapse is not the word; but modes are missing. The rule "dropped
modes" must fire. Health: `experiments/papers/modes_2d.py --arms rpgan`.
"""

from dataclasses import dataclass

from gen_jax import experiment
from gen_jax.core.domains import Size
from gen_jax.core.types import Algorithm
from gen_jax.data.source import Source
from gen_jax.models import gan
from gen_jax.models.gan_parts import normal_latents
from gen_jax.nets import mlp
from gen_jax.objectives import adversarial


@dataclass(frozen=True, kw_only=True)
class Hyper(gan.Hyper):
    lr_generator: float = 1e-3
    lr_discriminator: float = 1e-3


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    data: str = "grid25"
    steps: int = 2000
    log_every: int = 20
    evaluate_every: int = 250
    width: Size = 64
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    widths = (config.width,) * 2
    return gan.gan(
        mlp.Generator(data.shape, widths=widths, dtype=config.dtype),
        mlp.Discriminator(widths=widths, dtype=config.dtype),
        loss=adversarial.non_saturating,  # broken: nothing here asks for all the modes
        shape=data.shape,
        latents=normal_latents(2),
        hyper=config.hyper,
    )


if __name__ == "__main__":
    experiment.main(Config, build)
