"""σ-VAE (Rybkin et al. 2021, arXiv:2006.13202): the Gaussian's σ is learned, so beta needs no search.

python experiments/sigma_vae.py                       # one σ, optimal for each batch (equation 7)
python experiments/sigma_vae.py --sigma shared        # one σ, learned by gradient: its held-out bound is honest
python experiments/sigma_vae.py --sigma pixel         # one for each pixel, from the decoder

Expect sharp reconstructions (`python -m gen_jax reconstruct RUN`), a sigma that settles within some hundred steps, and
samples of which half are digits and half stay dark, whatever the number of steps, latents or training images: a small
sigma keeps the codes far from the prior. `two_stage_vae.py` is the cure. The default run takes about 1 CPU minute.
"""

from dataclasses import dataclass
from typing import Literal

from gen_jax import experiment
from gen_jax.core.domains import Size
from gen_jax.core.types import Algorithm
from gen_jax.data.source import Source
from gen_jax.models import vae
from gen_jax.models.vae_body import vae_body
from gen_jax.nets import dcgan, scale
from gen_jax.objectives import likelihoods


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    sigma: Literal["optimal", "shared", "pixel"] = "optimal"
    latent_size: Size = 16
    width: Size = 32
    hyper: vae.Hyper = vae.Hyper()


def build(config: Config, data: Source) -> Algorithm:
    dtype, channels = config.dtype, data.shape[-1]
    optimal = config.sigma == "optimal"
    likelihood = likelihoods.gaussian_optimal() if optimal else likelihoods.gaussian_learned()
    outputs = 2 * channels if config.sigma == "pixel" else channels
    # Of "pixel" half of the outputs are logarithms of σ, which no bound fits.
    bounded = config.sigma != "pixel"
    decoder = dcgan.Decoder(data.shape, outputs=outputs, width=config.width, bounded=bounded, dtype=dtype)
    body = vae_body(
        dcgan.Encoder(config.latent_size, width=config.width, dtype=dtype),
        scale.SharedScale(decoder) if config.sigma == "shared" else decoder,
        likelihood=likelihood,
        shape=data.shape,
        hyper=config.hyper,
    )
    return vae.vae(body)


if __name__ == "__main__":
    experiment.main(Config, build)
