"""Contract rows of models of the rows of a table: 64 columns, of which two hold categories; (name, build)."""

from collections.abc import Callable

import numpy as np
from flax import linen as nn

from gen_jax.core.types import Algorithm
from gen_jax.data.frequencies import Frequencies
from gen_jax.data.modes import Choices
from gen_jax.models.ctgan import conditions, ctgan
from gen_jax.models.tvae import tvae
from gen_jax.nets import mlp
from gen_jax.nets import rows as networks
from gen_jax.objectives import rows

SHAPE = (8, 8, 1)
NUMBER = Choices(*(np.array(part, np.float32) for part in ([-0.5, 0.5], [0.3, 0.3], [0.4, 0.6], [1.2, 1.2])))
CATEGORY = Choices(
    *(np.array(part, np.float32) for part in ([0, 1, 2], [0.3] * 3, [1 / 3] * 3, [0] * 3)), category=True
)
LAYOUT = rows.layout([CATEGORY, CATEGORY, *([NUMBER] * 62)])


def _tvae(optimizer: Callable) -> Algorithm:
    return tvae(
        mlp.Encoder(3, (8,), nn.relu),
        networks.Decoder(LAYOUT.width, len(LAYOUT.numbers), (8,)),
        layout=LAYOUT,
        shape=SHAPE,
        hyper={"lr": 1e-4, "b1": 0.9, "b2": 0.999, "factor": 2.0, "ema_decay": 0.9},
        optimizer=optimizer("lr"),
    )


def _ctgan(optimizer: Callable) -> Algorithm:
    often = Frequencies(np.array([5, 3, 1]), np.array([0.5, 0.3, 0.2]))
    return ctgan(
        networks.Generator(LAYOUT.width, (8,)),
        mlp.Discriminator((8,), dropout=0.5),
        layout=LAYOUT,
        shape=SHAPE,
        latent_size=3,
        conditions=conditions([often, often]),
        packing=2,
        optimizers={"generator": optimizer("lr_generator"), "discriminator": optimizer("lr_discriminator")},
        hyper={"lr_generator": 0.01, "lr_discriminator": 0.01, "b1": 0.5, "b2": 0.999, "ema_decay": 0.9,
               "gradient_penalty": 10.0},
    )  # fmt: skip


ROWS = [("tvae", _tvae), ("ctgan", _ctgan)]
