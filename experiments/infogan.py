"""InfoGAN: codes that images must reveal (Chen et al. 2016, arXiv:1606.03657).

    python experiments/infogan.py                             # mnist5k, 28x28, no labels used
    python -m gen_jax traverse runs/infogan-mnist5k-seed0

Latents are noise, one code of ten categories and two continuous ones. On digits the categories become digit classes
(up to order) and the continuous codes slant and width. `auxiliary/*` is minus the bound on the mutual information, in
nats.

Learning rates and weights are those of the authors' code for MNIST (1 for both kinds of code; re-implementations weigh
the continuous ones .1). There the noise is uniform on [-1, 1] and a batch 128; here it is normal, and a batch 64.

Expect categories that are digit classes, up to order, after about 1,500 steps; the default run takes about 3 CPU
minutes.
"""

from dataclasses import asdict, dataclass

from gen_jax import experiment
from gen_jax.core.domains import DepthOrZero, NonNegative, Size
from gen_jax.core.types import Algorithm
from gen_jax.data.source import Source
from gen_jax.models import gan
from gen_jax.models.gan_heads import Codes, infogan_head
from gen_jax.nets import dcgan
from gen_jax.nets.heads import WithHead
from gen_jax.objectives import adversarial


@dataclass(frozen=True, kw_only=True)
class Hyper(gan.Hyper):
    lr_generator: float = 1e-3
    information: NonNegative = 1.0
    """weight of the mutual information"""
    continuous: NonNegative = 1.0
    """weight of the continuous codes in it"""


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    noise: Size = 62
    categories: Size = 10
    groups: DepthOrZero = 1
    """categorical codes"""
    continuous: DepthOrZero = 2
    """continuous codes"""
    width: Size = 32
    """channels of the widest image's layer; deeper layers double it"""
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    codes = Codes(config.noise, config.categories, config.groups, config.continuous)
    hyper = asdict(config.hyper)
    if not codes.continuous:
        del hyper["continuous"]
    discriminator = dcgan.Discriminator(width=config.width, dtype=config.dtype)
    return gan.gan(
        dcgan.Generator(data.shape, width=config.width, dtype=config.dtype),
        WithHead(discriminator, codes.outputs, hidden=128, dtype=config.dtype),
        loss=adversarial.non_saturating,
        shape=data.shape,
        latents=codes.latents,
        terms=(infogan_head(codes),),
        hyper=hyper,
    )


if __name__ == "__main__":
    experiment.main(Config, build)
