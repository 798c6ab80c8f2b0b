"""InfoVAE (Zhao et al. 2019, arXiv:1706.02262): (1 - α) KL + (α + λ - 1) MMD. α = 1 is the MMD-VAE.

python experiments/info_vae.py                         # MMD-VAE, λ = 1000
python experiments/info_vae.py --alpha 0.5 --strength 100
python experiments/info_vae.py --kernel rbf

By default the MMD has WAE's kernel, a sum of seven inverse multiquadrics, so it is larger than the paper's with one
Gaussian kernel (--kernel rbf, of the width in the authors' MMD-VAE code): λ is not the same number under both.

Expect reconstructions sharper than samples, for the codes are free to leave the prior a little; the default run takes
about 1 CPU minute.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from flax.linen.initializers import constant

from gen_jax import experiment
from gen_jax.core.domains import Interval, NonNegative, Share, Size
from gen_jax.core.types import Algorithm
from gen_jax.data.brightness import mean_logit
from gen_jax.data.source import Source
from gen_jax.models import vae, vae_regularizers
from gen_jax.models.hypers import values_of
from gen_jax.models.vae_body import vae_body
from gen_jax.nets import dcgan
from gen_jax.objectives import divergences, likelihoods
from gen_jax.objectives.likelihoods import Binarization


@dataclass(frozen=True)
class Hyper:
    lr: NonNegative = 1e-3
    b1: Share = 0.9
    b2: Share = 0.999
    ema_decay: Share = 0.99


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    binarization: Binarization = Binarization.DYNAMIC
    alpha: Annotated[float, Interval(None, 1)] = 1.0
    """share of the KL that is left out, below and up to 1"""
    strength: NonNegative = 1000.0
    """the paper's lambda"""
    kernel: Literal["imq", "rbf"] = "imq"
    """of the MMD: WAE's inverse multiquadrics, or exp(-|x - y|²/d²) over d latent dimensions"""
    latent_size: Size = 16
    width: Size = 32
    """channels of the widest image's layer; deeper layers double it"""
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    dtype = config.dtype
    weights = {"beta": 1.0 - config.alpha, "mmd": config.alpha + config.strength - 1.0}
    body = vae_body(
        dcgan.Encoder(config.latent_size, width=config.width, dtype=dtype),
        dcgan.Decoder(data.shape, width=config.width, bias_init=constant(mean_logit(data)), dtype=dtype),
        likelihood=likelihoods.bernoulli(),
        binarization=config.binarization,
        shape=data.shape,
        hyper=values_of(config.hyper) | weights,
    )
    kernel = divergences.rbf([config.latent_size**2 / 2]) if config.kernel == "rbf" else None
    return vae.vae(body, regularizers=(vae_regularizers.mmd(kernel),))


if __name__ == "__main__":
    experiment.main(Config, build)
