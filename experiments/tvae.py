"""TVAE: rows of a table with numbers and categories, by a VAE (Xu et al. 2019, arXiv:1907.00503).

python experiments/tvae.py --data table:people.csv
python experiments/tvae.py --data table:adult.data.gz --columns adult.toml      # names, kinds, test rows: docs/data.md
python -m gen_jax sample RUN --count 1000 --out rows.csv

Mode-specific normalisation (ten modes of a variational mixture, those that weigh more than .005), two layers of 128,
128 latents, a deviation a column that is learned, reconstruction counted twice, L2 1e-5, Adam 1e-3, batches of 500: the
paper's. Its 300 epochs are 19,500 steps of Adult's 32,561 rows, the default; of other tables, set --steps to
300 · rows / 500. Gaps are learned and made as the table has them. Expect rows of which boosted trees learn a good part
of what they learn of real ones (published for Adult: macro-F1 .78 to .81); measured here: docs/applications.md.
The default run takes about 10 CPU minutes.
"""

from dataclasses import dataclass

from flax import linen as nn

from gen_jax import experiment
from gen_jax.core.domains import NonNegative, Share, Size
from gen_jax.core.types import Algorithm
from gen_jax.data.source import Source
from gen_jax.models.tvae import tvae
from gen_jax.nets import mlp
from gen_jax.nets import rows as networks
from gen_jax.objectives import rows
from gen_jax.runs import tables


@dataclass(frozen=True)
class Hyper:
    lr: NonNegative = 1e-3
    b1: Share = 0.9
    b2: Share = 0.999
    l2: NonNegative = 1e-5
    """weight of the squared parameters, in the gradient (Adam's, not decoupled)"""
    factor: NonNegative = 2.0
    """weight of the reconstruction"""


@dataclass(frozen=True, kw_only=True)
class Config(tables.Config):
    width: Size = 128
    """units of each of two layers"""
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    layout = rows.layout(tables.fitted(data, "tvae").choices)
    widths = (config.width,) * 2
    return tvae(
        mlp.Encoder(config.latent_size, widths, nn.relu, dtype=config.dtype),
        networks.Decoder(layout.width, len(layout.numbers), widths, dtype=config.dtype),
        layout=layout,
        shape=data.shape,
        hyper=config.hyper,
    )


if __name__ == "__main__":
    experiment.main(Config, build)
