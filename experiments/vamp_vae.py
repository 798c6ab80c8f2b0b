"""VAE with a VampPrior (Tomczak & Welling 2018, arXiv:1705.07120): a mixture of posteriors of learned pseudo-inputs.

python experiments/vamp_vae.py

Smaller than the paper's: tanh layers for gated ones, 200 pseudo-inputs for 500, a warm-up of 1,000 steps for 100
epochs, batches of 64 for 100, and plain Adam at its 5e-4, which the authors' code gives normalised gradients.

Expect a VAE's digits, and pseudo-inputs that come to look like digits; the default run takes about 1 CPU minute.
"""

from dataclasses import dataclass

from flax.linen.initializers import constant

from gen_jax import experiment
from gen_jax.core.domains import Size, Whole
from gen_jax.core.types import Algorithm
from gen_jax.data.brightness import mean_logit
from gen_jax.data.source import Source
from gen_jax.models import vae
from gen_jax.models.vae_body import vae_body
from gen_jax.nets import mlp
from gen_jax.objectives import likelihoods, priors
from gen_jax.objectives.likelihoods import Binarization
from gen_jax.objectives.rate import Rate, linear_warmup


@dataclass(frozen=True)
class Hyper(vae.Hyper):
    lr: float = 5e-4


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    binarization: Binarization = Binarization.DYNAMIC
    components: Size = 200
    """pseudo-inputs; the paper has 500 for 50,000 images"""
    latent_size: Size = 40
    width: Size = 300
    warm_up: Whole = 1000
    """steps over which the KL's weight rises"""
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    dtype = config.dtype
    body = vae_body(
        mlp.Encoder(config.latent_size, widths=(config.width, config.width), dtype=dtype),
        mlp.Decoder(data.shape, bias_init=constant(mean_logit(data)), widths=(config.width, config.width), dtype=dtype),
        likelihood=likelihoods.bernoulli(),
        binarization=config.binarization,
        shape=data.shape,
        prior=lambda encode: priors.vamp(encode, data.shape, config.components),
        rate=Rate(warm_up=linear_warmup(config.warm_up)),
        hyper=config.hyper,
    )
    return vae.vae(body)


if __name__ == "__main__":
    experiment.main(Config, build)
