"""Broken on purpose: a critic whose weights are clipped, one step against one, with strong momentum.

    python experiments/failures/oscillation.py

The players circle what they look for (Mescheder et al. 2018 prove it of WGAN with clipping), and the average of the
generator's weights lies nearer to it than any of them. The rule "oscillation" must fire. Health: the same with
`--hyper.b1 0`, or a penalty that makes the game converge.
"""

from dataclasses import dataclass

from gen_jax import experiment
from gen_jax.core.domains import Positive, Size
from gen_jax.core.types import Algorithm
from gen_jax.data.source import Source
from gen_jax.models import gan, gan_terms
from gen_jax.models.gan_parts import normal_latents
from gen_jax.nets import mlp
from gen_jax.objectives import adversarial


@dataclass(frozen=True, kw_only=True)
class Hyper(gan.Hyper):
    lr_generator: float = 4e-3
    lr_discriminator: float = 4e-3
    b1: float = 0.9  # broken: the momentum of supervised learning
    clip: Positive = 0.3
    ema_decay: float = 0.998


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    data: str = "ring8"
    steps: int = 3000
    log_every: int = 20
    evaluate_every: int = 250
    width: Size = 32
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    return gan.gan(
        # Linear: what it can match, mean and covariance, it matches exactly.
        mlp.Generator(data.shape, widths=(), dtype=config.dtype),
        mlp.Discriminator(widths=(config.width,) * 2, dtype=config.dtype),
        loss=adversarial.wasserstein,
        shape=data.shape,
        latents=normal_latents(2),
        terms=(gan_terms.weight_clipping("clip"),),
        hyper=config.hyper,
    )


if __name__ == "__main__":
    experiment.main(Config, build)
