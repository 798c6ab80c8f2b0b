"""Broken on purpose: a KL that hardly weighs anything, so that codes lie wherever the encoder likes.

    python experiments/failures/aggregate_mismatch.py

Reconstructions are good; the prior draws where no code of the data lies. The rule "mismatch of aggregate posterior and
prior" must fire. Health: `experiments/vae.py`.
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
    beta: float = 0.0001
    ema_decay: float = 0.99


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    data: str = "digits"
    steps: int = 1000
    log_every: int = 20
    evaluate_every: int = 200
    sigma: float = 0.1
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
