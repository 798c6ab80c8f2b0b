"""Broken on purpose: a pixel noise of σ = 2 where pixels lie in [-1, 1], so that no detail is worth its nats.

    python experiments/failures/blur.py

Reconstructions keep the rough shape alone. The rule "blur" must fire. Health: `experiments/sigma_vae.py`.
"""

from dataclasses import asdict, dataclass, field

from gen_jax import experiment
from gen_jax.core.types import Algorithm
from gen_jax.models.vae import vae
from gen_jax.nets import mlp
from gen_jax.objectives import likelihoods


@dataclass(frozen=True)
class Hyper:
    lr: float = 1e-3
    b1: float = 0.9
    b2: float = 0.999
    beta: float = 1.0
    ema_decay: float = 0.99


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    data: str = "mnist5k"
    steps: int = 800
    log_every: int = 20
    evaluate_every: int = 200
    sigma: float = 2.0
    latent_size: int = 16
    width: int = 128
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
    experiment.main(Config, build)
