"""CTGAN: rows of a table with numbers and categories, by a conditional GAN (Xu et al. 2019, arXiv:1907.00503).

python experiments/ctgan.py --data table:people.csv
python experiments/ctgan.py --data table:adult.data.gz --columns adult.toml     # names, kinds, test rows: docs/data.md
python -m gen_jax sample RUN --count 1000 --given "income=>50K" --out rows.csv

Mode-specific normalisation, training by sampling with a condition a row, a residual generator (256, 256), a critic
(256, 256) with dropout .5 and a penalty on its slope of 10, Adam 2e-4 (.5, .9), batches of 500: the paper's. Rows are
drawn with averaged weights and the critic judges single rows, where the paper averages nothing and has packs of ten
(--packing 10 --hyper.ema-decay 0), with which shares and what depends on what keep moving: docs/applications.md.
The paper's 300 epochs are 19,500 steps of Adult's 32,561 rows, the default; of other tables, set --steps to
300 · rows / 500. Expect rows of which boosted trees learn most of what they learn of real ones; measured here:
docs/applications.md. Losses say little of the rows: look at them. The default run takes tens of CPU minutes.
"""

from dataclasses import dataclass
from typing import Annotated

from gen_jax import experiment
from gen_jax.core.domains import Interval, NonNegative, Share, Size
from gen_jax.core.types import Algorithm
from gen_jax.data.source import Source
from gen_jax.models.ctgan import conditions, ctgan
from gen_jax.nets import mlp
from gen_jax.nets import rows as networks
from gen_jax.objectives import rows
from gen_jax.runs import tables


@dataclass(frozen=True)
class Hyper:
    lr_generator: NonNegative = 2e-4
    lr_discriminator: NonNegative = 2e-4
    b1: Share = 0.5
    b2: Share = 0.9
    l2_generator: NonNegative = 1e-6
    """weight of the generator's squared parameters, in the gradient (Adam's, not decoupled)"""
    gradient_penalty: NonNegative = 10.0
    ema_decay: Share = 0.999
    """of the averaged weights that rows are drawn with"""


@dataclass(frozen=True, kw_only=True)
class Config(tables.Config):
    width: Size = 256
    """units of each of two layers, of both players"""
    packing: Annotated[int, Interval(1, 100)] = 1
    """rows that the critic judges at once; it divides the batch"""
    dropout: Share = 0.5
    """of the critic"""
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    found, widths = tables.fitted(data, "ctgan"), (config.width,) * 2
    layout = rows.layout(found.choices)
    return ctgan(
        networks.Generator(layout.width, widths, dtype=config.dtype),
        mlp.Discriminator(widths, dropout=config.dropout, dtype=config.dtype),
        layout=layout,
        shape=data.shape,
        hyper=config.hyper,
        latent_size=config.latent_size,
        conditions=conditions(found.frequencies),
        packing=config.packing,
    )


if __name__ == "__main__":
    experiment.main(Config, build)
