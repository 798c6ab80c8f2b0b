"""The rows of the contract test: one small instance of every algorithm. A new model joins by adding its row."""

from collections.abc import Callable
from typing import NamedTuple

import optax
from contract_rows_gan import ROWS as GAN_ROWS
from contract_rows_generators import ROWS as GENERATOR_ROWS
from contract_rows_labels import ROWS as LABEL_ROWS
from contract_rows_tables import ROWS as TABLE_ROWS
from contract_rows_vae import ROWS as VAE_ROWS

from gen_jax.core.types import Algorithm
from gen_jax.models.gan import Turns, gan
from gen_jax.models.gan_parts import normal_latents
from gen_jax.models.vae import vae
from gen_jax.models.vae_body import vae_body
from gen_jax.nets import dcgan, mlp
from gen_jax.objectives import adversarial, likelihoods
from gen_jax.objectives.likelihoods import Binarization

SHAPE = (8, 8, 1)
GAN_HYPER = {"lr_generator": 0.05, "lr_discriminator": 0.05, "b1": 0.5, "b2": 0.999, "ema_decay": 0.9}
VAE_HYPER = {"lr": 1e-3, "b1": 0.9, "b2": 0.999, "beta": 1.0, "ema_decay": 0.9}


def descent(learning_rate: str) -> Callable:
    """Plain gradient descent that looks at Adam's betas, too: the rows' hypers are the same under either optimizer."""

    def optimizer(hyper):
        hyper.get("b1"), hyper.get("b2")
        return optax.sgd(hyper[learning_rate])

    return optimizer


class Row(NamedTuple):
    """`build(optimizer)` makes the algorithm; `optimizer(learning-rate name)` is Adam or, to compare backends,
    `descent`."""

    name: str
    build: Callable[[Callable], Algorithm]


def _gan(optimizer: Callable, **options) -> Algorithm:
    chosen = {
        "generator": mlp.Generator(SHAPE, widths=(16,)),
        "discriminator": mlp.Discriminator(widths=(16,)),
        "loss": adversarial.non_saturating,
        "hyper": GAN_HYPER,
        **options,
    }
    return gan(
        shape=SHAPE,
        latents=normal_latents(4),
        optimizers={"generator": optimizer("lr_generator"), "discriminator": optimizer("lr_discriminator")},
        **chosen,
    )


def _vae(optimizer: Callable, **options) -> Algorithm:
    chosen = {
        "encoder": mlp.Encoder(3, widths=(16,)),
        "decoder": mlp.Decoder(SHAPE, widths=(16,)),
        "likelihood": likelihoods.bernoulli(),
        "binarization": Binarization.DYNAMIC,
        "hyper": VAE_HYPER,
        **options,
    }
    return vae(vae_body(shape=SHAPE, optimizer=optimizer("lr"), **chosen))


def _dcgan(optimizer: Callable, **options) -> Algorithm:
    networks = {"generator": dcgan.Generator(SHAPE, width=4), "discriminator": dcgan.Discriminator(width=4)}
    return _gan(optimizer, **{**networks, **options})


ROWS = [
    Row("gan", _gan),
    Row("gan_minimax", lambda o: _gan(o, loss=adversarial.minimax)),
    Row("dcgan", _dcgan),
    Row("dcgan_dropout", lambda o: _dcgan(o, discriminator=dcgan.Discriminator(width=4, dropout=0.3))),
    Row("dcgan_shared_fakes", lambda o: _dcgan(o, turns=Turns(share_fakes=True))),
    Row("gan_n_critic", lambda o: _gan(o, turns=Turns(n_critic=3))),
    Row("vae", _vae),
    Row("vae_conv", lambda o: _vae(o, encoder=dcgan.Encoder(3, width=4), decoder=dcgan.Decoder(SHAPE, width=4))),
    Row("vae_gaussian", lambda o: _vae(o, likelihood=likelihoods.gaussian(0.5), binarization=Binarization.NONE)),
]
ROWS += [Row(name, build) for name, build in [*GAN_ROWS, *VAE_ROWS, *LABEL_ROWS, *GENERATOR_ROWS, *TABLE_ROWS]]
