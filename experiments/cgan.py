"""A conditional DCGAN: both players are told the label (Mirza & Osindero 2014, arXiv:1411.1784).

    python experiments/cgan.py                                # mnist5k, 28x28
    python -m gen_jax sample runs/cgan-mnist5k-seed0 --label 3

The label joins the generator's latents, and the discriminator's image as constant maps, one a class (the paper's
players are perceptrons, trained by momentum). Expect recognisable digits of the label asked for after about 1,500
steps; after 6,000 a LeNet trained on real digits reads the label asked for in 98 % of 1,000 samples (`--steps 6000`,
then `python -m gen_jax evaluate RUN --metrics cas`). `--augment diffaugment` for little data.

    python experiments/cgan.py --private --epsilon 10 --n-critic 10 --batch-size 256 --seed 8265193        # (10, 1e-5)

trains privately after Bie, Kamath & Zhang 2023 (arXiv:2302.02936): no batch norm, ten discriminator steps a round.

The default run takes about 2 CPU minutes.
"""

from dataclasses import dataclass
from typing import Literal

from gen_jax import experiment
from gen_jax.core.domains import Size, Turns
from gen_jax.core.types import LABEL, Algorithm
from gen_jax.data.source import Source
from gen_jax.models import gan, gan_terms
from gen_jax.models.gan_checks import need_labels
from gen_jax.models.gan_parts import normal_latents
from gen_jax.nets import dcgan
from gen_jax.objectives.adversarial import Loss
from gen_jax.runs.private import Private, mechanism


@dataclass(frozen=True, kw_only=True)
class Hyper(gan.Hyper):
    ema_decay: float = 0.999


@dataclass(frozen=True, kw_only=True)
class Config(Private, experiment.Config):
    loss: Loss = Loss.non_saturating
    latent_size: Size = 100
    width: Size = 32
    """channels of the widest image's layer; deeper layers double it"""
    augment: Literal["none", "diffaugment"] = "none"
    """of everything the discriminator sees, without leaking into the samples"""
    n_critic: Turns = 1
    """discriminator steps a round; private training takes many (Bie et al. 2023)"""
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    classes = need_labels(data.classes, "cgan", data.name)
    # Batch norm mixes the examples that private training keeps apart.
    common = {"width": config.width, "norm": None if config.private else dcgan.batch_norm, "dtype": config.dtype}
    return gan.gan(
        dcgan.Generator(data.shape, classes=classes, **common),
        dcgan.Discriminator(classes=classes, **common),
        loss=config.loss.value,
        shape=data.shape,
        latents=normal_latents(config.latent_size),
        terms=(gan_terms.diff_augment(),) if config.augment == "diffaugment" else (),
        given=LABEL,
        turns=gan.Turns(n_critic=config.n_critic),
        private=mechanism(config, data, config.n_critic),
        hyper=config.hyper,
    )


if __name__ == "__main__":
    experiment.main(Config, build)
