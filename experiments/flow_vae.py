"""VAE with flows: a learned prior (MAF, Papamakarios et al. 2017; RealNVP), an IAF posterior (Kingma et al. 2016).

python experiments/flow_vae.py                            # a RealNVP prior
python experiments/flow_vae.py --prior maf
python experiments/flow_vae.py --prior normal --iaf 2     # two steps of inverse autoregressive flow in q(z|x)
"""

from dataclasses import asdict, dataclass, field
from typing import Literal

import jax.numpy as jnp

from gen_jax import experiment
from gen_jax.core.types import Algorithm
from gen_jax.models import vae_parts
from gen_jax.models.vae import vae
from gen_jax.nets import dcgan, made
from gen_jax.objectives import flows, likelihoods, priors
from gen_jax.objectives.likelihoods import Binarization


@dataclass(frozen=True)
class Hyper:
    lr: float = 1e-3
    b1: float = 0.9
    b2: float = 0.999
    beta: float = 1.0
    ema_decay: float = 0.99


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    binarization: Binarization = Binarization.DYNAMIC
    prior: Literal["coupling", "maf", "normal"] = "coupling"
    layers: int = 6
    """of the prior's flow"""
    iaf: int = 0
    """layers of the posterior's flow; 0: a diagonal Gaussian"""
    flow_width: int = 128
    latent_size: int = 16
    width: int = 32
    hyper: Hyper = field(default_factory=Hyper)


def build(config: Config, data) -> Algorithm:
    dims, dtype = config.latent_size, jnp.dtype(config.precision)
    masked = made.Made(flows.made_masks(dims, (config.flow_width,) * 2))
    plain = made.Conditioner((config.flow_width,) * 2)
    stacks = {
        "coupling": lambda: vae_parts.coupling_stack([plain] * config.layers, dims),
        "maf": lambda: vae_parts.autoregressive_stack([masked] * config.layers, dims),
    }
    stack = stacks[config.prior]() if config.prior in stacks else None
    posterior = [masked] * config.iaf
    return vae(
        dcgan.Encoder(dims, width=config.width, dtype=dtype),
        dcgan.Decoder(data.shape, width=config.width, dtype=dtype),
        likelihood=likelihoods.bernoulli(),
        binarization=config.binarization,
        shape=data.shape,
        latent_size=dims,
        prior=priors.flow_prior(stack.build, dims, stack.init) if stack else None,
        posterior_flow=vae_parts.inverse_autoregressive_stack(posterior, dims, 2 * dims) if posterior else None,
        hyper=asdict(config.hyper),
    )


if __name__ == "__main__":
    experiment.main(Config, build)
