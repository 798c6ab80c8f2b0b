"""Unrolling and packing under a weak discriminator (Metz et al. 2017, arXiv:1611.02163; PacGAN, arXiv:1712.04086).

    python experiments/papers/unrolled_packing.py
    python experiments/papers/unrolled_packing.py --steps 200 --seeds 2 --samples 2000      # a glance

Claim, on Stacked MNIST with a discriminator of a quarter of the generator's width: DCGAN finds 30.6 of 1,000 modes,
unrolled by ten steps 327, packed by four 667.
Scaled down: stacked:mnist5k at 14×14, perceptrons of two layers of 256 (G, BatchNorm) and 64 (D), five unrolled steps,
1,000 rounds of 64; modes and KL of 26,000 averaged-weight samples by a LeNet trained on the same digits.
Measured (3 seeds): 27, 37, 32 and 34 modes for the GAN, unrolled, packed by 2 and by 4; nothing decided, the runs being
too short for digits. After 20,000 rounds on triples of all digits (5 seeds): 102, 368, 268 and 452. See
docs/reproductions.md.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

from gen_jax import experiment
from gen_jax.core.domains import Count, Depth, DepthOrZero, Interval, Pixels, Sample, Size
from gen_jax.core.types import Algorithm
from gen_jax.data.source import Source
from gen_jax.models import gan, gan_terms
from gen_jax.models.gan_checks import need_whole_packs
from gen_jax.models.gan_parts import normal_latents
from gen_jax.nets import mlp
from gen_jax.nets.layers import BatchNorm
from gen_jax.objectives import adversarial
from gen_jax.studies import measures, papers
from gen_jax.studies.claims import Claim


@dataclass(frozen=True, kw_only=True)
class Hyper(gan.Hyper):
    lr_generator: float = 5e-4


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    """One run, as `python -m gen_jax ablate` sees it."""

    data: str = "stacked:mnist5k"
    image_size: int | None = 14
    unroll: DepthOrZero = 0
    """steps that the generator looks ahead"""
    packing: Depth = 1
    """samples that the discriminator sees at once"""
    latent_size: Size = 64
    width: Annotated[int, Interval(4, 1_000_000)] = 256
    """of the generator's layers; the discriminator's have a quarter"""
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    need_whole_packs(config.packing, config.batch_size, config.devices or 1)
    terms = []
    if config.packing > 1:
        terms.append(gan_terms.packed(config.packing))
    if config.unroll:
        terms.append(gan_terms.unrolled(config.unroll))
    return gan.gan(
        mlp.Generator(data.shape, (config.width,) * 2, norm=BatchNorm, dtype=config.dtype),
        mlp.Discriminator((config.width // 4,) * 2, dtype=config.dtype),
        loss=adversarial.non_saturating,
        shape=data.shape,
        latents=normal_latents(config.latent_size),
        terms=terms,
        hyper=config.hyper,
    )


PAPER = papers.Paper(
    "unrolled_packing",
    "Unrolling and packing under a weak discriminator (Metz et al. 2017; Lin et al. 2018)",
    (papers.Column("modes", "modes", 0), papers.Column("kl", "KL, nats", 3)),
    {"packing=1": "30.6", "unroll": "327 (10 steps)", "packing=4": "667", "packing=2": "–"},
    "published modes, D at ¼ of G",
    {"packing=1": "GAN", "unroll": "unrolled, 5 steps", "packing=2": "packed by 2", "packing=4": "packed by 4"},
)
SHORT = 5000  # rounds; with fewer the table says what it cannot tell
TOO_SHORT = (
    "Too short to test the claim: the samples are still noise in the shape of a digit, and a LeNet reads "
    "a few dozen triples into it whatever the arm."
)


@dataclass(frozen=True, kw_only=True)
class Table(papers.OfData):
    data: str = "stacked:mnist5k"
    image_size: Pixels = 14
    steps: Count = 1000
    samples: Sample = 26000
    """drawn of each run, to count modes in"""


def main(config: Table) -> None:
    paper = papers.of_data(PAPER, config)
    settings = {"data": config.data, "data_dir": config.data_dir, "image_size": config.image_size}
    settings |= {"steps": config.steps, **papers.unwatched()}
    script = Path(__file__)
    packing = {"grid": {"packing": [1, 2, 4]}, "settings": settings}
    studies = {
        "packing": papers.study(config, paper.name, "packing", script, **packing),
        "unroll": papers.study(config, paper.name, "unroll", script, settings=settings | {"unroll": 5}),
    }
    protocol = (
        f"{config.data} at {config.image_size}×{config.image_size}, {config.steps} rounds of 64, {config.samples} "
        "samples, last step, EMA weights"
    )
    claims = [
        Claim(f"the KL of {PAPER.titles[arm]} is below that of the GAN", "kl", arm, "packing=1")
        for arm in ("unroll", "packing=2", "packing=4")
    ]
    measure = partial(measures.stacked_modes_of, count=config.samples)
    paper = paper._replace(remark=TOO_SHORT if config.steps < SHORT else "")
    papers.table(config, paper, "unrolled_packing.py", studies, measure, protocol, claims)


if __name__ == "__main__":
    papers.run(Table, main, __doc__)
