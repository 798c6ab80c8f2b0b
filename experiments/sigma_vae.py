"""σ-VAE (Rybkin et al. 2021, arXiv:2006.13202): the Gaussian's σ is learned, so beta needs no search.

python experiments/sigma_vae.py                       # one σ, optimal for each batch (equation 7)
python experiments/sigma_vae.py --sigma shared        # one σ, learned by gradient: its held-out bound is honest
python experiments/sigma_vae.py --sigma pixel         # one for each pixel, from the decoder
"""

from dataclasses import asdict, dataclass, field
from typing import Literal

import jax.numpy as jnp

from gen_jax import experiment
from gen_jax.core.types import Algorithm
from gen_jax.models.vae import vae
from gen_jax.nets import dcgan, scale
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
    sigma: Literal["optimal", "shared", "pixel"] = "optimal"
    latent_size: int = 16
    width: int = 32
    hyper: Hyper = field(default_factory=Hyper)


def build(config: Config, data) -> Algorithm:
    dtype, channels = jnp.dtype(config.precision), data.shape[-1]
    optimal = config.sigma == "optimal"
    likelihood = likelihoods.gaussian_optimal() if optimal else likelihoods.gaussian_learned()
    outputs = 2 * channels if config.sigma == "pixel" else channels
    decoder = dcgan.Decoder(data.shape, outputs=outputs, width=config.width, dtype=dtype)
    return vae(
        dcgan.Encoder(config.latent_size, width=config.width, dtype=dtype),
        scale.SharedScale(decoder) if config.sigma == "shared" else decoder,
        likelihood=likelihood,
        shape=data.shape,
        latent_size=config.latent_size,
        hyper=asdict(config.hyper),
    )


if __name__ == "__main__":
    experiment.main(Config, build)
