"""Two-stage VAE (Dai & Wipf 2019, arXiv:1903.05789): a second VAE of the first one's codes mends what it samples.

python experiments/two_stage_vae.py
python experiments/two_stage_vae.py --likelihood gaussian --binarization NONE      # the paper's first stage

The paper's argument is about a Gaussian of one learned scale for all pixels; by default the pixels here are binary, as
in the other experiments on digits. Its stages train one after the other, here side by side; its second decoder learns
one scale and sees u again at its end, here it has a scale for each dimension and no such skip.

Expect samples nearer to the data than the first stage's own (FD-LeNet 676 against 775 after 300 steps); the default
run takes about 1 CPU minute.
"""

from dataclasses import dataclass
from typing import Literal

from gen_jax import experiment
from gen_jax.core.domains import NonNegative, Size
from gen_jax.core.players import adam
from gen_jax.core.types import Algorithm
from gen_jax.data.source import Source
from gen_jax.models import vae
from gen_jax.models.two_stage_vae import two_stage_vae
from gen_jax.models.vae_body import vae_body
from gen_jax.nets import dcgan, mlp, scale
from gen_jax.objectives import likelihoods
from gen_jax.objectives.likelihoods import Binarization


@dataclass(frozen=True)
class Hyper(vae.Hyper):
    lr_second: NonNegative = 1e-3


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    binarization: Binarization = Binarization.DYNAMIC
    likelihood: Literal["bernoulli", "gaussian"] = "bernoulli"
    """of the pixels; gaussian: one learned scale for all, with --binarization NONE"""
    second_width: Size = 512
    """of the second stage's three hidden layers"""
    latent_size: Size = 16
    width: Size = 32
    """channels of the widest image's layer; deeper layers double it"""
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    dtype = config.dtype
    widths = (config.second_width,) * 3
    gaussian = config.likelihood == "gaussian"
    decoder = dcgan.Decoder(data.shape, width=config.width, bounded=gaussian, dtype=dtype)
    first = vae_body(
        dcgan.Encoder(config.latent_size, width=config.width, dtype=dtype),
        scale.SharedScale(decoder) if gaussian else decoder,
        likelihood=likelihoods.gaussian_learned() if gaussian else likelihoods.bernoulli(),
        binarization=config.binarization,
        shape=data.shape,
        hyper=config.hyper,
    )
    second = vae_body(
        mlp.Encoder(config.latent_size, widths=widths, dtype=dtype),
        mlp.Decoder((config.latent_size,), outputs=2 * config.latent_size, widths=widths, dtype=dtype),
        likelihood=likelihoods.gaussian_learned(),
        shape=(config.latent_size,),
        hyper=config.hyper,
        optimizer=adam("lr_second"),
    )
    return two_stage_vae(first, second)


if __name__ == "__main__":
    experiment.main(Config, build)
