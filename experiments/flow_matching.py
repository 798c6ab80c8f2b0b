"""Flow matching with a small U-Net: a baseline from the neighbouring family (Lipman et al. 2023, arXiv:2210.02747).

    python experiments/flow_matching.py                    # mnist5k; about 20 minutes on two cores for 2,000 steps
    python experiments/flow_matching.py --conditional      # told the class, as cgan is
    python -m gen_jax evaluate RUN --metrics fd --sampler euler:10     # ten evaluations of the network a sample
    python -m gen_jax evaluate RUN --metrics fd --sampler heun:50      # the same as the sampler "prior"

A GAN's sample takes one evaluation of a network, one of these ten to a hundred; `ablate` and `compare` set them side by
side. It stays a baseline: one path, two laws of t, two solvers.

Expect digits by the end of the default run.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from gen_jax import experiment
from gen_jax.core.domains import Depth, Interval, Share, Size
from gen_jax.core.errors import UserError
from gen_jax.core.types import LABEL, Algorithm
from gen_jax.data.kinds import need_images
from gen_jax.data.source import Source
from gen_jax.models import flow_matching
from gen_jax.nets.of_images import INSTEAD
from gen_jax.nets.unet import UNet
from gen_jax.objectives.flow_matching import logit_normal_times, uniform_times


@dataclass(frozen=True, kw_only=True)
class Hyper(flow_matching.Hyper):
    lr: float = 5e-4


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    times: Literal["uniform", "logit-normal"] = "uniform"
    """law of the times that training draws"""
    conditional: bool = False
    """use the labels"""
    width: Annotated[int, Interval(2, 1_000_000)] = 32
    """channels at the image's size"""
    multipliers: tuple[Size, ...] = (1, 2, 2)
    """channels of each level in units of width; each further level halves the image"""
    blocks: Depth = 1
    """residual blocks a level"""
    dropout: Share = 0.0
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    need_images(data, "a U-Net", INSTEAD)
    if config.conditional and data.classes is None:
        raise UserError(f"{data.name} has no labels: leave out --conditional")
    if not config.multipliers:
        raise UserError("--multipliers: give the channels of one level or more, such as 1 2 2")
    network = UNet(
        data.shape[-1],
        config.width,
        config.multipliers,
        config.blocks,
        data.classes if config.conditional else None,
        config.dropout,
        dtype=config.dtype,
    )
    return flow_matching.flow_matching(
        network,
        shape=data.shape,
        given=LABEL if config.conditional else {},
        times=uniform_times if config.times == "uniform" else logit_normal_times,
        hyper=config.hyper,
    )


if __name__ == "__main__":
    experiment.main(Config, build)
