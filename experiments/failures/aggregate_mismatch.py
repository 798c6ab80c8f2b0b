"""Broken on purpose: a KL that hardly weighs anything, so that codes lie wherever the encoder likes.

    python experiments/failures/aggregate_mismatch.py

Reconstructions are good; the prior draws where no code of the data lies. The rule "mismatch of aggregate posterior and
prior" must fire. Health: `experiments/vae.py`.
"""

from dataclasses import dataclass

from gen_jax import experiment
from gen_jax.core.domains import Positive, Size
from gen_jax.core.types import Algorithm
from gen_jax.data.source import Source
from gen_jax.models import vae
from gen_jax.models.vae_body import vae_body
from gen_jax.nets import mlp
from gen_jax.objectives import likelihoods


@dataclass(frozen=True)
class Hyper(vae.Hyper):
    beta: float = 0.0001


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    data: str = "digits"
    steps: int = 1000
    log_every: int = 20
    evaluate_every: int = 200
    sigma: Positive = 0.1
    latent_size: Size = 16
    width: Size = 128
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    widths = (config.width,) * 2
    body = vae_body(
        mlp.Encoder(config.latent_size, widths=widths, dtype=config.dtype),
        mlp.Decoder(data.shape, widths=widths, dtype=config.dtype),
        likelihood=likelihoods.gaussian(config.sigma),
        shape=data.shape,
        hyper=config.hyper,
    )
    return vae.vae(body)


if __name__ == "__main__":
    experiment.main(Config, build)
