"""Broken on purpose: a Wasserstein critic that nothing bounds, with large steps.

    python experiments/failures/exploding_gradients.py

Without clipping or a penalty the critic's loss has no minimum, so its slope grows as long as it is trained. The rule
"exploding gradients" must fire. Health: `experiments/wgan_gp.py`.
"""

from dataclasses import dataclass

from gen_jax import experiment
from gen_jax.core.domains import NonNegative, Share, Size
from gen_jax.core.types import Algorithm
from gen_jax.data.source import Source
from gen_jax.models import gan
from gen_jax.models.gan_parts import normal_latents
from gen_jax.nets import mlp
from gen_jax.objectives import adversarial


@dataclass(frozen=True)
class Hyper:
    lr_generator: NonNegative = 1e-3
    lr_discriminator: NonNegative = 5e-3
    b1: Share = 0.0
    b2: Share = 0.9


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    data: str = "digits"
    steps: int = 1200
    log_every: int = 10
    evaluate_every: int = 100
    width: Size = 64
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    widths = (config.width,) * 3
    return gan.gan(
        mlp.Generator(data.shape, widths=widths, dtype=config.dtype),
        mlp.Discriminator(widths=widths, dtype=config.dtype),
        loss=adversarial.wasserstein,  # broken: no penalty and no clipping
        shape=data.shape,
        latents=normal_latents(16),
        hyper=config.hyper,
    )


if __name__ == "__main__":
    experiment.main(Config, build)
