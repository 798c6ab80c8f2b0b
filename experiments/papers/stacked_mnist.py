"""A thousand modes: DCGAN against PacDCGAN2 (Lin et al. 2018, arXiv:1712.04086, 4.2), and R3GAN's loss beside them.

    python experiments/papers/stacked_mnist.py --data-dir ~/tensorflow_datasets     # after `prepare mnist`; for a GPU
    python experiments/papers/stacked_mnist.py --data stacked:mnist5k --width 16 --steps 300 --samples 2000   # a glance

Claim, on Stacked MNIST (three digits as the channels of a picture): a DCGAN finds 99 of 1,000 modes (KL 3.40), and one
whose discriminator judges two pictures at once all of them (.06). R3GAN (Huang et al. 2024, arXiv:2501.05441): the
relativistic loss with R1 and R2 finds all of them (.0781), the ordinary one 693 (.927), and with R1 alone either fails.
The networks of the first two are PacGAN's own (k5 s2 convolutions, 2×2 pixels at the narrow end; at width 64 a
generator of 4,514,819 parameters and a discriminator of 4,310,401 + 4,800 (m - 1)), z from U(-1, 1)^100, Adam 2e-4, β₁
.5, 128,000 triples of the 60,000 digits at 28×28. The two-by-two plays with the same networks without BatchNorm.
Scaled down: in length (their 50 epochs are 100,000 rounds). Else: one generator step a round where their code makes
two, and pixels in [-1, 1], where their code has [0, 1] for a tanh. Modes and KL of 26,000 averaged-weight samples by a
LeNet trained on the digits.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax import experiment
from gen_jax.core.domains import Count, NonNegative, Sample, Seeds, Size
from gen_jax.core.types import Algorithm
from gen_jax.data.source import Source
from gen_jax.models import gan, gan_terms
from gen_jax.models.gan_checks import need_whole_packs
from gen_jax.models.gan_parts import uniform_latents
from gen_jax.nets.layers import BatchNorm, Conv, ConvTranspose, Dense, leaky_relu, normal_init
from gen_jax.objectives.adversarial import Loss
from gen_jax.studies import measures, papers
from gen_jax.studies.claims import Claim

Arm = Literal["dcgan", "pacdcgan2", "rpgan_r1_r2", "rpgan_r1", "gan_r1_r2", "gan_r1"]
WITH_BATCH_NORM = ("dcgan", "pacdcgan2")
START = 2  # pixels of the smallest map


class Generator(nn.Module):
    """Latents [B, d] -> images [B, 28, 28, 3] in [-1, 1]: 2, 4, 7, 14 and 28 pixels, the second cut to 7."""

    shape: tuple[int, ...]
    width: int = 64
    norm: bool = True
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, latents: jax.Array, *, train: bool) -> jax.Array:
        how = {"dtype": self.dtype, "kernel_init": _kernel(self.norm)}
        activation = nn.relu if self.norm else leaky_relu
        x = Dense(START * START * 8 * self.width, **how)(latents.astype(self.dtype))
        x = x.reshape(len(x), START, START, 8 * self.width)
        for size, width in zip(sizes(self.shape[0]), (4, 2, 1, None), strict=True):
            if self.norm:
                x = BatchNorm(dtype=self.dtype)(x, train=train)
            features = self.shape[-1] if width is None else width * self.width
            x = ConvTranspose(features, kernel_size=5, **how)(activation(x))[:, :size, :size]
        return jnp.tanh(x.astype(jnp.float32))


class Discriminator(nn.Module):
    """Images [B, 28, 28, C] -> logits [B]; packed ones have their channels joined."""

    width: int = 64
    norm: bool = True
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        how = {"dtype": self.dtype, "kernel_init": _kernel(self.norm)}
        x = x.astype(self.dtype)
        for stage in range(4):
            x = Conv(self.width * 2**stage, kernel_size=5, stride=2, **how)(x)
            if self.norm and stage:
                x = BatchNorm(dtype=self.dtype)(x, train=train)
            x = leaky_relu(x)
        return Dense(1, **how)(x.reshape(len(x), -1))[:, 0].astype(jnp.float32)


def _kernel(norm: bool) -> Callable[..., jax.Array]:
    """DCGAN's before BatchNorm; without it, one that keeps the size of what passes through."""
    return normal_init(0.02) if norm else nn.initializers.variance_scaling(1.0, "fan_in", "normal")


def sizes(full: int) -> list[int]:
    """Pixels after every layer of the generator: those of which the next is the double, or one less."""
    found = [full]
    for _ in range(3):
        found.insert(0, -(-found[0] // 2))
    return found


@dataclass(frozen=True, kw_only=True)
class Hyper(gan.Hyper):
    gamma: NonNegative = 1.0
    """of R1 and R2, where an arm has them"""


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    """One run, as `python -m gen_jax ablate` sees it."""

    data: str = "stacked:tfds:mnist"
    arm: Arm = "dcgan"
    """which of the models"""
    latent_size: Size = 100
    width: Size = 64
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    norm, packing = config.arm in WITH_BATCH_NORM, 2 if config.arm == "pacdcgan2" else 1
    need_whole_packs(packing, config.batch_size, config.devices or 1)
    hyper = asdict(config.hyper)
    terms = ()
    if norm:
        hyper.pop("gamma")
        terms = (gan_terms.packed(packing),) if packing > 1 else ()
    else:
        terms = (gan_terms.r1_and_r2() if config.arm.endswith("r2") else gan_terms.r1("gamma"),)
    return gan.gan(
        Generator(data.shape, config.width, norm, dtype=config.dtype),
        Discriminator(config.width, norm, dtype=config.dtype),
        loss=Loss.relativistic.value if config.arm.startswith("rp") else Loss.non_saturating.value,
        shape=data.shape,
        latents=uniform_latents(config.latent_size),
        terms=terms,
        turns=gan.Turns(fresh_reals=config.arm.startswith("rp")),
        hyper=hyper,
    )


PAPER = papers.Paper(
    "stacked_mnist",
    "Stacked MNIST: DCGAN, PacDCGAN2 and R3GAN's two-by-two (Lin et al. 2018, 4.2; Huang et al. 2024, table 1)",
    (papers.Column("modes", "modes", 0), papers.Column("kl", "KL, nats", 3)),
    {
        "arm=dcgan": "99.0, 3.40",
        "arm=pacdcgan2": "1000, .06",
        "arm=rpgan_r1_r2": "1000, .0781",
        "arm=gan_r1_r2": "693, .927",
        "arm=rpgan_r1": "fails",
        "arm=gan_r1": "fails",
    },
    "published modes, KL",
    {
        "arm=dcgan": "DCGAN",
        "arm=pacdcgan2": "PacDCGAN2",
        "arm=rpgan_r1_r2": "RpGAN + R1 + R2",
        "arm=rpgan_r1": "RpGAN + R1",
        "arm=gan_r1_r2": "GAN + R1 + R2",
        "arm=gan_r1": "GAN + R1",
    },
)
CLAIMED = (  # lower, higher, by how much there
    ("arm=pacdcgan2", "arm=dcgan", 3.40 - 0.06),
    ("arm=rpgan_r1_r2", "arm=gan_r1_r2", 0.927 - 0.0781),
    ("arm=rpgan_r1_r2", "arm=rpgan_r1", None),
    ("arm=rpgan_r1_r2", "arm=dcgan", None),
)


@dataclass(frozen=True, kw_only=True)
class Table(papers.OfData):
    data: str = "stacked:tfds:mnist"
    arms: tuple[Arm, ...] = ("dcgan", "pacdcgan2", "rpgan_r1_r2", "rpgan_r1", "gan_r1_r2", "gan_r1")
    seeds: Seeds = 3
    steps: Count = 5000
    width: Size = 64
    samples: Sample = 26000
    """drawn of each run, to count modes in"""


def main(config: Table) -> None:
    paper = papers.of_data(PAPER, config)
    settings = {"data": config.data, "data_dir": config.data_dir, "steps": config.steps, "width": config.width}
    settings |= papers.unwatched()
    studies = {
        f"arm={arm}": papers.study(config, paper.name, arm, Path(__file__), grid={"arm": [arm]}, settings=settings)
        for arm in config.arms
    }
    protocol = (
        f"{config.data}, width {config.width}, {config.steps:,} of 100,000 rounds of 64, {config.samples:,} samples, "
        "last step, EMA weights"
    )
    there = {f"arm={arm}" for arm in config.arms}
    claims = [
        Claim(f"the KL of {PAPER.titles[lower]} is below that of {PAPER.titles[higher]}", "kl", lower, higher, gap)
        for lower, higher, gap in CLAIMED
        if {lower, higher} <= there
    ]
    measure = partial(measures.stacked_modes_of, count=config.samples)
    papers.table(config, paper, "stacked_mnist.py", studies, measure, protocol, claims)


if __name__ == "__main__":
    papers.run(Table, main, __doc__)
