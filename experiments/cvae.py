"""Conditional VAE (Sohn et al. 2015): encoder and decoder are told the label.

python experiments/cvae.py      # samples come in columns of equal label

Expect blurred digits of the class of their column after some hundred steps; the default run takes about 1 CPU minute.
"""

from dataclasses import dataclass

from gen_jax import experiment
from gen_jax.core.domains import Size
from gen_jax.core.errors import UserError
from gen_jax.core.types import LABEL, Algorithm
from gen_jax.data.source import Source
from gen_jax.models import vae
from gen_jax.models.vae_body import vae_body
from gen_jax.nets import dcgan
from gen_jax.objectives import likelihoods
from gen_jax.objectives.likelihoods import Binarization


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    binarization: Binarization = Binarization.DYNAMIC
    latent_size: Size = 16
    width: Size = 32
    """channels of the widest image's layer; deeper layers double it"""
    hyper: vae.Hyper = vae.Hyper()


def build(config: Config, data: Source) -> Algorithm:
    dtype = config.dtype
    if data.classes is None:
        raise UserError(f"{data.name} has no labels to condition on; use labelled data, or experiments/conv_vae.py")
    body = vae_body(
        dcgan.Encoder(config.latent_size, width=config.width, classes=data.classes, dtype=dtype),
        dcgan.Decoder(data.shape, width=config.width, classes=data.classes, dtype=dtype),
        likelihood=likelihoods.bernoulli(),
        binarization=config.binarization,
        shape=data.shape,
        given=LABEL,
        hyper=config.hyper,
    )
    return vae.vae(body)


if __name__ == "__main__":
    experiment.main(Config, build)
