"""DCGAN: a deep convolutional GAN (Radford, Metz & Chintala 2016, arXiv:1511.06434), and what is done to steady one.

    python experiments/dcgan.py                                   # mnist5k, 28x28
    python experiments/dcgan.py --data tfds:fashion_mnist         # after `python -m gen_jax prepare fashion_mnist`
    python experiments/dcgan.py --augment ada --r1-gamma 1        # for little data
    python experiments/dcgan.py --data stacked:mnist5k --packing 2 --batch-size 128

Widths, learning rates and a batch of 64 are those of PyTorch's example (128 in the paper). Expect recognisable digits
after about 1,000 steps.

The default run takes about 8 CPU minutes.
"""

from dataclasses import asdict, dataclass
from typing import Annotated, Literal

from gen_jax import experiment
from gen_jax.core.domains import Depth, Interval, NonNegative, Positive, Share, Size, Turns, Whole
from gen_jax.core.types import Algorithm
from gen_jax.data.source import Source
from gen_jax.models import gan, gan_terms
from gen_jax.models.gan_checks import need_whole_packs
from gen_jax.models.gan_parts import normal_latents, uniform_latents
from gen_jax.nets import dcgan
from gen_jax.objectives.adversarial import Loss, smoothed


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    loss: Loss = Loss.non_saturating
    latent_size: Size = 100
    width: Size = 64
    """channels of the widest image's layer; deeper layers double it"""
    uniform_latents: bool = False
    """latents from U(-1, 1), as in the paper; otherwise N(0, I), as in PyTorch's example"""
    dropout: Share = 0.0
    """in the discriminator"""
    n_critic: Turns = 1
    """discriminator steps a round"""
    share_fakes: bool = False
    """both players see one fake batch a round (about a tenth faster); otherwise each draws its own"""
    label_smoothing: Share = 0.0
    """real images count as real by 1 minus this (Salimans et al. 2016: .1)"""
    augment: Literal["none", "diffaugment", "ada"] = "none"
    """of everything the discriminator sees, without leaking into the samples"""
    instance_noise: NonNegative = 0.0
    """standard deviation of the noise on everything the discriminator sees, at first"""
    noise_steps: Whole = 2000
    """over which the instance noise falls to 0"""
    minibatch_stddev: Annotated[int, Interval(2, 1_000_000)] | None = None
    """rows of a group whose standard deviation the discriminator sees (Karras et al. 2018: 4)"""
    packing: Depth = 1
    """images that the discriminator judges at once (PacGAN)"""
    top_k: Size | None = None
    """learn from the best fakes only; rounds after which k shrinks by a hundredth (Sinha et al. 2020: an epoch)"""
    clip_norm: Positive | None = None
    """largest norm of each player's gradient"""
    r1_gamma: NonNegative = 0.0
    """weight of the R1 penalty; use it with --no-batch-norm"""
    batch_norm: bool = True
    """in the discriminator"""
    hyper: gan.Hyper = gan.Hyper()


def build(config: Config, data: Source) -> Algorithm:
    need_whole_packs(config.packing, config.batch_size, config.devices or 1)
    extra = {"clip_norm": config.clip_norm, "r1_gamma": config.r1_gamma, "instance_noise": config.instance_noise}
    augmentations = {"none": (), "diffaugment": (gan_terms.diff_augment(),), "ada": (gan_terms.adaptive_augment(),)}
    terms = [gan_terms.instance_noise(horizon=config.noise_steps)] if config.instance_noise else []
    terms += augmentations[config.augment]
    if config.r1_gamma:
        terms.append(gan_terms.r1())
    if config.packing > 1:
        terms.append(gan_terms.packed(config.packing))
    if config.top_k:
        terms.append(gan_terms.top_k(config.top_k, config.packing))
    return gan.gan(
        dcgan.Generator(data.shape, width=config.width, dtype=config.dtype),
        dcgan.Discriminator(
            width=config.width,
            norm=dcgan.batch_norm if config.batch_norm else None,
            dropout=config.dropout,
            stddev_group=config.minibatch_stddev,
            dtype=config.dtype,
        ),
        loss=smoothed(config.loss.value, 1 - config.label_smoothing) if config.label_smoothing else config.loss.value,
        shape=data.shape,
        latents=(uniform_latents if config.uniform_latents else normal_latents)(config.latent_size),
        terms=terms,
        turns=gan.Turns(n_critic=config.n_critic, share_fakes=config.share_fakes),
        hyper=asdict(config.hyper) | {name: value for name, value in extra.items() if value},
    )


if __name__ == "__main__":
    experiment.main(Config, build)
