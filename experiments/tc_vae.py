"""β-TCVAE (Chen et al. 2018, arXiv:1802.04942): the KL in three parts, of which total correlation weighs more.

python experiments/tc_vae.py --hyper.total-correlation 6
python experiments/tc_vae.py --hyper.dip 10 --hyper.total-correlation 1     # DIP-VAE (Kumar et al. 2018)

Expect a VAE's digits, and fewer nats of total correlation the larger its weight; the default run takes about 1 CPU
minute.
"""

from dataclasses import dataclass

from flax.linen.initializers import constant

from gen_jax import experiment
from gen_jax.core.domains import NonNegative, Size
from gen_jax.core.types import Algorithm
from gen_jax.data.brightness import mean_logit
from gen_jax.data.source import Source
from gen_jax.models import vae, vae_regularizers
from gen_jax.models.vae_body import vae_body
from gen_jax.nets import dcgan
from gen_jax.objectives import likelihoods
from gen_jax.objectives.disentangle import Dip
from gen_jax.objectives.likelihoods import Binarization


@dataclass(frozen=True)
class Hyper(vae.Hyper):
    beta: float = 0.0
    """weight of the KL as a whole, beside its parts"""
    mutual_information: NonNegative = 1.0
    total_correlation: NonNegative = 6.0
    dimension_kl: NonNegative = 1.0
    dip: NonNegative = 0.0
    """weight of DIP-VAE II's penalty on the covariance of q(z)"""


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    binarization: Binarization = Binarization.DYNAMIC
    latent_size: Size = 10
    width: Size = 32
    """channels of the widest image's layer; deeper layers double it"""
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    dtype = config.dtype
    parts = vae_regularizers.total_correlation(data.train.size)
    body = vae_body(
        dcgan.Encoder(config.latent_size, width=config.width, dtype=dtype),
        dcgan.Decoder(data.shape, width=config.width, bias_init=constant(mean_logit(data)), dtype=dtype),
        likelihood=likelihoods.bernoulli(),
        binarization=config.binarization,
        shape=data.shape,
        hyper=config.hyper,
    )
    return vae.vae(body, regularizers=(*parts, vae_regularizers.dip(Dip.II)))


if __name__ == "__main__":
    experiment.main(Config, build)
