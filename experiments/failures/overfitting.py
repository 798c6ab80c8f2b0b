"""Broken on purpose: a discriminator that sees 64 images again and again, without augmentation.

    python experiments/failures/overfitting.py

It learns them by heart, and calls held-out digits fake. The rule "overfitting of the discriminator" must fire. Health:
`experiments/dcgan.py --augment ada --r1-gamma 1 --no-batch-norm`.
"""

from dataclasses import asdict, dataclass, field

from gen_jax import experiment
from gen_jax.core.types import Algorithm
from gen_jax.models.gan import gan
from gen_jax.nets import mlp
from gen_jax.objectives import adversarial


@dataclass(frozen=True)
class Hyper:
    lr_generator: float = 1e-3
    lr_discriminator: float = 1e-3
    b1: float = 0.5
    b2: float = 0.999
    ema_decay: float = 0.99


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    data: str = "npz:runs/failures/digits-64.npz"
    steps: int = 2000
    log_every: int = 20
    evaluate_every: int = 200
    width: int = 256
    hyper: Hyper = field(default_factory=Hyper)


def build(config: Config, data) -> Algorithm:
    widths = (config.width,) * 2
    return gan(
        mlp.Generator(data.shape, widths=widths),
        mlp.Discriminator(widths=widths),
        loss=adversarial.non_saturating,
        shape=data.shape,
        latent_size=64,
        hyper=asdict(config.hyper),
    )


if __name__ == "__main__":
    from few import few

    few(64, "digits")
    experiment.main(Config, build)
