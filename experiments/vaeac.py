"""VAEAC for tables: any columns given any others, one network (Ivanov et al. 2019, arXiv:1806.02382).

python experiments/vaeac.py --data table:people.csv
python -m gen_jax complete RUN --data table:people.csv --out filled.csv

A conditional VAE whose prior sees the observed cells. At every step 20 to 90 % of the cells that have a value are
hidden (the paper's fixed 20 % is `--masks random:0.2`), on top of the table's own gaps. The paper's Gaussian has one
fixed deviation (`--likelihood gaussian`); here a Student's t with a scale of its own for each cell is the default, for
intervals that mean something. Images: inpaint_vae.py. A minute for 10,000 steps of a small table on a CPU.

Expect gaps that are filled about as well as by an iterative imputer (docs/applications.md).
"""

import functools
from dataclasses import dataclass
from typing import Literal

from gen_jax import experiment
from gen_jax.core.domains import DepthOrZero, Positive, Size
from gen_jax.core.errors import UserError
from gen_jax.core.types import Algorithm
from gen_jax.data import masks
from gen_jax.data.source import Source
from gen_jax.models import vae
from gen_jax.models.inpaint_vae import inpaint_vae
from gen_jax.nets import inpaint
from gen_jax.objectives import likelihoods, student


@dataclass(frozen=True)
class Hyper(vae.Hyper):
    lr: Positive = 3e-4
    clip_norm: Positive = 100.0
    prior_mean: Positive = 1e4
    """spread of the prior's means that is free, and ..."""
    prior_scale: Positive = 1e-4
    """... weight of log std - std of the prior: the paper's regulariser, which matters where nothing is observed"""


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    data: str = "ring8"
    likelihood: Literal["student", "gaussian"] = "student"
    masks: tuple[str, ...] = ("random",)
    """what is hidden in training, one kind an example: random, random:SHARE, everything, above, any"""
    latent_size: Size = 16
    width: Size = 128
    depth: DepthOrZero = 4
    """residual layers of each network"""
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    if len(data.shape) != 1:
        raise UserError("vaeac.py is for tables and points, and these are images; use inpaint_vae.py")
    sizes = {"width": config.width, "depth": config.depth, "dtype": config.dtype}
    likelihood = student.student_t() if config.likelihood == "student" else likelihoods.gaussian(1.0)
    return inpaint_vae(
        inpaint.DenseEncoder(config.latent_size, **sizes),
        inpaint.DenseEncoder(config.latent_size, **sizes),
        inpaint.DenseDecoder(likelihood.parameters(data.shape[0]), **sizes),
        likelihood=likelihood,
        hide=functools.partial(masks.draw, masks.named(*config.masks)),
        shape=data.shape,
        hyper=config.hyper,
    )


if __name__ == "__main__":
    experiment.main(Config, build)
