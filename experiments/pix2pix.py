"""A picture from a picture: a U-Net under the mean absolute error, with a discriminator of patches or alone (pix2pix,
Isola et al. 2017, arXiv:1611.07004).

    python experiments/pix2pix.py                                          # outlines of mnist5k's digits -> digits
    python experiments/pix2pix.py --data shrunk:mnist5k --skip             # 7×7 -> 28×28: super-resolution, 4 times
    python experiments/pix2pix.py --data pairs:DIR                         # your own: DIR/x given, DIR/y wanted
    python experiments/pix2pix.py --data shrunk:mnist5k --skip --no-adversarial    # the error alone
    python -m gen_jax evaluate RUN --metrics psnr,ssim,fd

The error alone gives the best PSNR and blur; the adversarial term gives up some of it for pictures that look like the
data (the perception-distortion trade-off, Blau & Michaeli 2018). Near the authors' settings: --width 64 --multipliers 1
2 4 8 8 8 8 --batch-size 1 --patch-stages 3 --dropout 0.5. Normalisation is by group, not by batch as theirs, and there
is no dropout outside training, so that what is made of a picture does not depend on its neighbours.

Expect digits that fill their outlines after some hundred steps, which are some CPU minutes.
"""

from dataclasses import asdict, dataclass

from gen_jax import experiment
from gen_jax.core.domains import Depth, Share, Size
from gen_jax.core.errors import UserError
from gen_jax.core.types import Algorithm
from gen_jax.data.kinds import need_images
from gen_jax.data.pairs import input_shape
from gen_jax.data.source import Source
from gen_jax.models import paired
from gen_jax.nets.patch import PatchDiscriminator
from gen_jax.nets.unet import UNet
from gen_jax.objectives.adversarial import Loss


@dataclass(frozen=True, kw_only=True)
class Hyper(paired.Hyper):
    ema_decay: float = 0.995


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    data: str = "edges:mnist5k"
    """pairs:DIR (folders x/ and y/), shrunk:SOURCE or edges:SOURCE"""
    adversarial: bool = True
    """beside the mean absolute error, the game against the discriminator of patches"""
    loss: Loss = Loss.non_saturating
    width: Size = 32
    """channels of the U-Net at the image's size"""
    multipliers: tuple[Size, ...] = (1, 2, 2)
    """channels of each level in units of width; each further level halves the image"""
    dropout: Share = 0.0
    """in training only; the authors have 0.5"""
    skip: bool = False
    """the output is added to what is given: for super-resolution"""
    patch_width: Size = 32
    """channels of the discriminator's first layer"""
    patch_stages: Depth = 2
    """halvings of the discriminator: it judges patches of 34 pixels with 2, of 70 with 3"""
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    need_images(data, "pix2pix", "use pairs of images")
    given = input_shape(data)
    if not config.multipliers:
        raise UserError("--multipliers: give the channels of one level or more, such as 1 2 2")
    if config.skip and given[-1] != data.shape[-1]:
        raise UserError(
            f"--skip adds what is given ({given[-1]} channels) to what is made ({data.shape[-1]}); leave it out"
        )
    hyper = asdict(config.hyper)
    if not config.adversarial:
        if config.hyper.lr_discriminator != Hyper().lr_discriminator:
            raise UserError("--hyper.lr-discriminator: there is no discriminator with --no-adversarial; leave one out")
        del hyper["lr_discriminator"]
    sizes = {"dropout": config.dropout, "skip": config.skip, "dtype": config.dtype}
    return paired.paired(
        UNet(data.shape[-1], config.width, config.multipliers, **sizes),
        PatchDiscriminator(config.patch_width, config.patch_stages, config.dtype) if config.adversarial else None,
        loss=config.loss.value if config.adversarial else None,
        shape=data.shape,
        input_shape=given,
        hyper=hyper,
    )


if __name__ == "__main__":
    experiment.main(Config, build)
