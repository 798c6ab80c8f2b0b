"""A VAE with a two-dimensional latent space, which can be drawn (Kingma & Welling 2014, figure 4).

    python experiments/vae2d.py
    python -m gen_jax latents runs/vae2d-mnist5k-seed0    # the manifold, and the held-out codes coloured by class

Two dimensions hold little: expect ones and zeros apart, and fours and nines on top of one another.

The default run takes about 1 CPU minute.
"""

from dataclasses import dataclass

from gen_jax import experiment
from gen_jax.core.domains import Size, Whole
from gen_jax.core.types import Algorithm
from gen_jax.data.source import Source
from gen_jax.models import vae
from gen_jax.models.vae_body import vae_body
from gen_jax.nets import mlp
from gen_jax.objectives import likelihoods
from gen_jax.objectives.likelihoods import Binarization
from gen_jax.objectives.rate import Rate, linear_warmup


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    steps: int = 6000
    latent_size: Size = 2
    width: Size = 400
    warm_up: Whole = 500
    """steps over which the KL's weight rises from 0 to beta; 0: no warm-up"""
    hyper: vae.Hyper = vae.Hyper()


def build(config: Config, data: Source) -> Algorithm:
    dtype = config.dtype
    body = vae_body(
        mlp.Encoder(config.latent_size, widths=(config.width,) * 2, dtype=dtype),
        mlp.Decoder(data.shape, widths=(config.width,) * 2, dtype=dtype),
        likelihood=likelihoods.bernoulli(),
        binarization=Binarization.DYNAMIC,
        shape=data.shape,
        rate=Rate(warm_up=linear_warmup(config.warm_up)),
        hyper=config.hyper,
    )
    return vae.vae(body)


if __name__ == "__main__":
    experiment.main(Config, build)
