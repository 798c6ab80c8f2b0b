"""Broken on purpose: a generator that learns twenty times as fast as the discriminator.

    python experiments/failures/mode_collapse.py

It runs to whatever D calls most real at the moment, with all of its latents. The rule "mode collapse" must fire.
Health: `experiments/dcgan.py`.
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
    lr_generator: float = 2e-3  # broken: twenty times the discriminator's
    lr_discriminator: float = 1e-4


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    data: str = "digits"
    steps: int = 800
    log_every: int = 10
    evaluate_every: int = 100
    width: Size = 64
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    widths = (config.width,) * 2
    return gan.gan(
        mlp.Generator(data.shape, widths=widths, dtype=config.dtype),
        mlp.Discriminator(widths=widths, dtype=config.dtype),
        loss=adversarial.non_saturating,
        shape=data.shape,
        latents=normal_latents(16),
        hyper=config.hyper,
    )


if __name__ == "__main__":
    experiment.main(Config, build)
