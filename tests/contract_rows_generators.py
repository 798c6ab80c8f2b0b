"""Contract rows of what is no plain GAN or VAE: flow matching, style-based networks, paired images, sound."""

from collections.abc import Callable

from gen_jax.core.types import LABEL, Algorithm
from gen_jax.models.flow_matching import flow_matching
from gen_jax.nets.unet import UNet

SHAPE, CLASSES = (8, 8, 1), 10


def _flow_matching(optimizer: Callable) -> Algorithm:
    hyper = {"lr": 0.05, "b1": 0.9, "b2": 0.999, "ema_decay": 0.9}
    network = UNet(1, 4, (1, 2), classes=CLASSES, dropout=0.2)
    return flow_matching(network, shape=SHAPE, given=LABEL, hyper=hyper, optimizer=optimizer("lr"))


ROWS = [("flow_matching", _flow_matching)]
