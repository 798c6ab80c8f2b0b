"""A variational autoencoder with convolutional encoder and decoder (Kingma & Welling 2014, arXiv:1312.6114).

python experiments/vae.py                                          # mnist5k, dynamic binarisation, Bernoulli
python experiments/vae.py --likelihood gaussian --binarization NONE --data tfds:cifar10
python experiments/vae.py --private --epsilon 10 --seed 8265193    # differentially private

Expect blurred digits after some hundred steps, and a held-out ELBO of about -105 nats at the end; the default run
takes about 1 CPU minute.
"""

from dataclasses import dataclass
from typing import Literal

from gen_jax import experiment
from gen_jax.core.domains import Positive, Size, Whole
from gen_jax.core.types import Algorithm
from gen_jax.data.source import Source
from gen_jax.models import vae
from gen_jax.models.vae_body import vae_body
from gen_jax.nets import dcgan
from gen_jax.objectives import likelihoods
from gen_jax.objectives.likelihoods import Binarization
from gen_jax.objectives.rate import Rate, linear_warmup
from gen_jax.runs.private import Private, mechanism


@dataclass(frozen=True, kw_only=True)
class Config(Private, experiment.Config):
    likelihood: Literal["bernoulli", "gaussian"] = "bernoulli"
    sigma: Positive = 0.1
    """standard deviation of the gaussian likelihood, in units of the [-1, 1] image"""
    binarization: Binarization = Binarization.DYNAMIC
    """what is done to pixels before they are scored; NONE for the gaussian"""
    latent_size: Size = 16
    width: Size = 32
    """channels of the widest image's layer; deeper layers double it"""
    warm_up: Whole = 500
    """steps over which the KL's weight rises from 0 to beta; 0: no warm-up"""
    hyper: vae.Hyper = vae.Hyper()


def build(config: Config, data: Source) -> Algorithm:
    dtype, norm = config.dtype, None if config.private else dcgan.batch_norm  # which mixes examples
    gaussian = config.likelihood == "gaussian"
    body = vae_body(
        dcgan.Encoder(config.latent_size, width=config.width, norm=norm, dtype=dtype),
        dcgan.Decoder(data.shape, width=config.width, norm=norm, bounded=gaussian, dtype=dtype),
        likelihood=likelihoods.gaussian(config.sigma) if gaussian else likelihoods.bernoulli(),
        binarization=config.binarization,
        shape=data.shape,
        rate=Rate(warm_up=linear_warmup(config.warm_up)),
        hyper=config.hyper,
    )
    return vae.vae(body, private=mechanism(config, data))


if __name__ == "__main__":
    experiment.main(Config, build)
