"""A VAE that completes images of which part is hidden (Ivanov et al. 2019, VAEAC, arXiv:1806.02382).

python experiments/inpaint_vae.py
python experiments/inpaint_vae.py --likelihood gaussian --binarization NONE --data tfds:cifar10
python -m gen_jax complete RUN --mask half

Masks are drawn at every step: 20 to 90 % of the cells, halves, quarters, squares, everything; `--masks random half`
trains on these alone. The sampler "complete" is given x and mask; "prior" draws whole images. Tables: vaeac.py.

Expect completions that fit what is seen, and differ where little of it is; the default run takes about 20 CPU
minutes.
"""

import functools
from dataclasses import dataclass
from typing import Literal

from gen_jax import experiment
from gen_jax.core.domains import Depth, Positive, Size
from gen_jax.core.types import Algorithm
from gen_jax.data import masks
from gen_jax.data.kinds import need_images
from gen_jax.data.source import Source
from gen_jax.models import vae
from gen_jax.models.inpaint_vae import inpaint_vae
from gen_jax.nets import inpaint
from gen_jax.objectives import likelihoods
from gen_jax.objectives.likelihoods import Binarization


@dataclass(frozen=True)
class Hyper(vae.Hyper):
    clip_norm: Positive = 200.0
    """largest gradient norm: masks make single batches steep"""


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    likelihood: Literal["bernoulli", "gaussian"] = "bernoulli"
    sigma: Positive = 0.1
    """standard deviation of the gaussian likelihood, in units of the [-1, 1] image"""
    binarization: Binarization = Binarization.DYNAMIC
    """what is done to pixels before they are scored; NONE for the gaussian"""
    masks: tuple[str, ...] = ("any",)
    """what is hidden in training, one kind an example: random, random:SHARE, half, quarter, square, everything, any"""
    latent_size: Size = 32
    width: Size = 32
    """channels at the image's size; they double where it halves"""
    stages: Depth = 2
    """halvings of the image"""
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    need_images(data, "inpaint_vae.py", "use vaeac.py, which is for tables")
    sizes = {"width": config.width, "stages": config.stages, "dtype": config.dtype}
    gaussian = config.likelihood == "gaussian"
    return inpaint_vae(
        inpaint.Encoder(config.latent_size, **sizes),
        inpaint.Encoder(config.latent_size, **sizes),
        inpaint.Decoder(data.shape[-1], bounded=gaussian, **sizes),
        likelihood=likelihoods.gaussian(config.sigma) if gaussian else likelihoods.bernoulli(),
        binarization=config.binarization,
        hide=functools.partial(masks.draw, masks.named(*config.masks)),
        shape=data.shape,
        hyper=config.hyper,
    )


if __name__ == "__main__":
    experiment.main(Config, build)
