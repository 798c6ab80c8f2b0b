"""Broken on purpose: a discriminator that sees 64 images again and again, without augmentation.

    python experiments/failures/overfitting.py

It learns them by heart, and calls held-out digits fake. The rule "overfitting of the discriminator" must fire. Health:
`experiments/dcgan.py --augment ada --r1-gamma 1 --no-batch-norm`.
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
    data: str = "few:64:digits"  # broken: 64 images
    steps: int = 2000
    log_every: int = 20
    evaluate_every: int = 200
    width: Size = 256
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    widths = (config.width,) * 2
    return gan.gan(
        mlp.Generator(data.shape, widths=widths, dtype=config.dtype),
        mlp.Discriminator(widths=widths, dtype=config.dtype),
        loss=adversarial.non_saturating,
        shape=data.shape,
        latents=normal_latents(64),
        hyper=config.hyper,
    )


if __name__ == "__main__":
    experiment.main(Config, build)
