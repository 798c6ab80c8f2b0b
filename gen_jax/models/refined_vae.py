"""A VAE of pixels with an adversarially refined decoder: the bound, then a GAN step on what the prior makes of it.

Three phases: encoder and decoder on the bound; a discriminator of images and samples; the decoder against it. The
similarity of Larsen et al. 2016 (`vae_gan`) is absent: the likelihood of pixels stays, so bounds stay comparable.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core import keys
from gen_jax.core.phases import compose
from gen_jax.core.players import Player, adam, apply
from gen_jax.core.types import Algorithm, Array, Aux, Context, Phase, Players
from gen_jax.models.vae_body import finish, vae_body
from gen_jax.objectives.adversarial import AdversarialLoss, non_saturating
from gen_jax.objectives.likelihoods import Likelihood


def refined_vae(
    encoder: nn.Module,
    decoder: nn.Module,
    discriminator: nn.Module,
    *,
    likelihood: Likelihood,
    shape: tuple[int, ...],
    latent_size: int,
    hyper: Mapping[str, float],
    loss: AdversarialLoss = non_saturating,
    discriminator_optimizer: Callable = adam("lr_discriminator"),
    **options: Any,
) -> Algorithm:
    """A VAE whose decoder takes a second, adversarial step each round, on samples: hyper["adversarial"] times as
    strong. The bound, which trains the encoder, is the VAE's own, and so is everything that `evaluate` says.

    discriminator: images -> logits [B]. hyper: as for `vae`, and adversarial, lr_discriminator. options: those of
    `vae`.
    """
    body = vae_body(
        encoder, decoder, likelihood=likelihood, shape=shape, latent_size=latent_size, hyper=hyper, **options
    )
    image_example = jax.ShapeDtypeStruct((2, *shape), jnp.float32)
    players = {**body.players, "discriminator": Player(discriminator, (image_example,), discriminator_optimizer)}

    def play(params: Players, context: Context):
        key, stats, image, label = context.key, context.stats, context.batch["x"], context.batch.get("label")
        codes = keys.normal(keys.named(key, "latents"), image.shape[0], latent_size)
        outputs, decoder_stats = body.outputs(params, stats, codes, label, keys.named(key, "sample"), train=True)
        own, judged = params["discriminator"], stats["discriminator"]
        real, judged = apply(players["discriminator"], own, judged, image, train=True, key=keys.named(key, "real"))
        fake, judged = apply(
            players["discriminator"], own, judged, likelihood.mean(outputs), train=True, key=keys.named(key, "fake")
        )
        return real, fake, {"decoder": decoder_stats, "discriminator": judged}

    def discriminator_objective(params: Players, context: Context) -> tuple[Array, Aux]:
        real, fake, stats = play(params, context)
        value = loss.discriminator(real, fake)
        metrics = {"loss/discriminator": value, "logits/real": real.mean(), "logits/fake": fake.mean()}
        return value, Aux({"discriminator": stats["discriminator"]}, metrics)

    def decoder_objective(params: Players, context: Context) -> tuple[Array, Aux]:
        real, fake, stats = play(params, context)
        value = loss.generator(real, fake)
        return context.hyper["adversarial"] * value, Aux({"decoder": stats["decoder"]}, {"loss/decoder": value})

    phases = (
        Phase(tuple(body.players), body.objective),
        Phase(("discriminator",), discriminator_objective),
        Phase(("decoder",), decoder_objective),
    )
    return finish(compose(players, phases, hyper, aux=body.aux), body)
