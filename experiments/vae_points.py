"""A VAE of points in the plane (Kingma & Welling 2014), to watch posterior and prior fit what a GAN drops modes of.

python experiments/vae_points.py                   # eight Gaussians on a ring
python experiments/vae_points.py --data grid25

Expect all modes, joined by thin bridges; the default run takes about 1 CPU minute.
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
    data: str = "ring8"
    """ring8 or grid25"""
    sigma: Positive = 0.05
    """standard deviation of the gaussian likelihood"""
    latent_size: Size = 2
    width: Size = 128
    hyper: vae.Hyper = vae.Hyper()


def build(config: Config, data: Source) -> Algorithm:
    dtype = config.dtype
    body = vae_body(
        mlp.Encoder(config.latent_size, widths=(config.width,) * 3, dtype=dtype),
        mlp.Decoder(data.shape, widths=(config.width,) * 3, dtype=dtype),
        likelihood=likelihoods.gaussian(config.sigma),
        shape=data.shape,
        hyper=config.hyper,
    )
    return vae.vae(body)


if __name__ == "__main__":
    experiment.main(Config, build)
