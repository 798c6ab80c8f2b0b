"""Broken on purpose: twenty training images, and a code with room for each of them.

    python experiments/failures/memorisation.py

Samples are training images. The rule "memorisation" must fire. Health: the same on all of mnist5k.
"""

from dataclasses import asdict, dataclass, field

from gen_jax import experiment
from gen_jax.core.types import Algorithm
from gen_jax.models.vae import vae
from gen_jax.nets import mlp
from gen_jax.objectives import likelihoods


@dataclass(frozen=True)
class Hyper:
    lr: float = 2e-3
    b1: float = 0.9
    b2: float = 0.999
    beta: float = 1.0
    ema_decay: float = 0.99


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    data: str = "npz:runs/failures/mnist5k-20.npz"
    steps: int = 1500
    batch_size: int = 20
    log_every: int = 20
    evaluate_every: int = 250
    sigma: float = 0.3
    latent_size: int = 2
    width: int = 256
    hyper: Hyper = field(default_factory=Hyper)


def build(config: Config, data) -> Algorithm:
    widths = (config.width,) * 2
    return vae(
        mlp.Encoder(config.latent_size, widths=widths),
        mlp.Decoder(data.shape, widths=widths),
        likelihood=likelihoods.gaussian(config.sigma),
        shape=data.shape,
        latent_size=config.latent_size,
        hyper=asdict(config.hyper),
    )


if __name__ == "__main__":
    from few import few

    few(20)
    experiment.main(Config, build)
