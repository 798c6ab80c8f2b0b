"""Broken on purpose: a pixel noise of σ = 2 where pixels lie in [-1, 1], so that no detail is worth its nats.

    python experiments/failures/blur.py

Reconstructions keep the rough shape alone. The rule "blur" must fire. Health: `experiments/sigma_vae.py`.
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


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    data: str = "mnist5k"
    steps: int = 800
    log_every: int = 20
    evaluate_every: int = 200
    sigma: Positive = 2.0
    latent_size: Size = 16
    width: Size = 128
    hyper: vae.Hyper = vae.Hyper()


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
