"""Broken on purpose: the saturating loss against a discriminator that learns five times for each generator step.

    python experiments/failures/vanishing_gradient.py

Goodfellow et al. 2014's equation 1 as it stands: once D is sure, the generator's gradient is that of a constant. The
rule "vanishing generator gradient" must fire. Health: `experiments/gan.py`, whose loss does not saturate.
"""

from dataclasses import dataclass

from gen_jax import experiment
from gen_jax.core.domains import Size, Turns
from gen_jax.core.types import Algorithm
from gen_jax.data.source import Source
from gen_jax.models import gan
from gen_jax.models.gan_parts import normal_latents
from gen_jax.nets import mlp
from gen_jax.objectives import adversarial


@dataclass(frozen=True, kw_only=True)
class Hyper(gan.Hyper):
    lr_generator: float = 1e-4
    lr_discriminator: float = 2e-3


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    data: str = "digits"
    steps: int = 600
    log_every: int = 10
    evaluate_every: int = 100
    n_critic: Turns = 5  # broken, with the loss below: the discriminator is soon sure
    width: Size = 64
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    widths = (config.width,) * 2
    return gan.gan(
        mlp.Generator(data.shape, widths=widths, dtype=config.dtype),
        mlp.Discriminator(widths=widths, dtype=config.dtype),
        loss=adversarial.minimax,
        shape=data.shape,
        latents=normal_latents(16),
        turns=gan.Turns(n_critic=config.n_critic),
        hyper=config.hyper,
    )


if __name__ == "__main__":
    experiment.main(Config, build)
