"""Broken on purpose: twenty training images, and a code with room for each of them.

    python experiments/failures/memorisation.py

Samples are training images. The rule "memorisation" must fire. Health: the same on all of mnist5k.
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
    lr: float = 2e-3


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    data: str = "few:20:mnist5k"
    steps: int = 1500
    batch_size: int = 20
    log_every: int = 20
    evaluate_every: int = 250
    sigma: Positive = 0.3
    latent_size: Size = 2
    width: Size = 256
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
