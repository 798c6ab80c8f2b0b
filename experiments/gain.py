"""GAIN: generative adversarial imputation (Yoon et al. 2018, arXiv:1806.02920).

python experiments/gain.py --data table:people.csv
python -m gen_jax complete RUN --data table:people.csv --out filled.csv

Generator and discriminator are as wide as the table, two layers each, hint .9, alpha 100, batches of 128, 10,000 steps.
Written from the paper, whose hint is not that of the released code. Expect it to be behind missForest: users who rerun
the released code find so, and `experiments/applications/completion.py` does. Of a table without gaps, `--hide 0.2`
hides 20 % of the cells anew at every step. Half a minute on a CPU.
"""

import functools
from dataclasses import dataclass

import numpy as np

from gen_jax import experiment
from gen_jax.core.domains import Count, NonNegative, Share, Size
from gen_jax.core.types import Algorithm
from gen_jax.data import masks, source
from gen_jax.data.kinds import IMAGES
from gen_jax.data.source import Source
from gen_jax.models.gain import gain
from gen_jax.nets.inpaint import Cells


@dataclass(frozen=True)
class Hyper:
    lr_generator: NonNegative = 1e-3
    lr_discriminator: NonNegative = 1e-3
    b1: Share = 0.9
    b2: Share = 0.999
    hint: Share = 0.9
    """share of the cells of which the discriminator is told whether they were observed"""
    alpha: NonNegative = 100.0
    """weight of the squared error on what is observed"""
    ema_decay: Share | None = None


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    data: str = "ring8"
    steps: Count = 10_000
    batch_size: Size = 128
    hide: Share = 0.2
    """share of the cells that are hidden beside the data's own gaps, anew at every step"""
    width: Size | None = None
    """units of each of two layers; by default as many as a row has cells"""
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    low, high = -1.0, 1.0
    if data.kind is not IMAGES:
        x = source.whole(data.train)["x"]  # the train split alone, and of it what is there
        low, high = np.nanmin(x, axis=0), np.nanmax(x, axis=0)
    cells = (*data.shape[:-1], 1) if len(data.shape) > 1 else data.shape
    widths = (config.width or int(np.prod(data.shape)),) * 2
    family = masks.at_random(config.hide, config.hide)
    return gain(
        Cells(data.shape, widths, dtype=config.dtype),
        Cells(cells, widths, dtype=config.dtype),
        shape=data.shape,
        hyper=config.hyper,
        low=low,
        high=high,
        hide=functools.partial(masks.draw, family) if config.hide else None,
    )


if __name__ == "__main__":
    experiment.main(Config, build)
