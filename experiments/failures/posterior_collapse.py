"""Broken on purpose: a KL that weighs twenty times what it should, from the first step.

    python experiments/failures/posterior_collapse.py

The cheapest code is none: q(z|x) becomes the prior. The rule "posterior collapse" must fire. Health:
`experiments/vae.py`.
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
    beta: float = 20.0


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    data: str = "digits"
    steps: int = 1000
    log_every: int = 20
    evaluate_every: int = 200
    sigma: Positive = 0.5
    latent_size: Size = 16
    width: Size = 64
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
