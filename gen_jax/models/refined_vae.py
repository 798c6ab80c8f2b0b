"""A VAE of pixels with an adversarially refined decoder: the bound, then a GAN step on what the prior makes of it.

Three phases: encoder and decoder on the bound; a discriminator of images and samples; the decoder against it. The
similarity of Larsen et al. 2016 (`vae_gan`) is absent: the likelihood of pixels stays, so bounds stay comparable.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core import keys
from gen_jax.core.compose import compose
from gen_jax.core.errors import UserError
from gen_jax.core.phases import Phase
from gen_jax.core.players import adam, apply
from gen_jax.core.types import Algorithm, Array, Aux, Context, Players
from gen_jax.models import hypers
from gen_jax.models.vae_body import Body, bound_phase, finish
from gen_jax.objectives.adversarial import AdversarialLoss, non_saturating


def refined_vae(
    body: Body,
    discriminator: nn.Module,
    *,
    loss: AdversarialLoss = non_saturating,
    optimizer: Callable = adam("lr_discriminator"),
) -> Algorithm:
    """A VAE whose decoder takes a second, adversarial step each round, on samples: hyper["adversarial"] times as
    strong. The bound, which trains the encoder, is the VAE's own, and so is everything that `evaluate` says.

    discriminator: x -> logits [B], of the data as they are and of the decoder's means; optimizer: its own. hyper (of
    the body): as for `vae`, and adversarial, lr_discriminator. Raises UserError for a prior other than N(0, I).
    """
    model = body.densities
    if not model.normal_prior:
        raise UserError("refined_vae judges samples from N(0, I); leave the prior out")
    hypers.need(body.hyper, ("adversarial",))
    x_example = jax.ShapeDtypeStruct((2, *model.shape), jnp.float32)
    critic = hypers.player(discriminator, (x_example,), optimizer, body.hyper, average=False)
    players = {**body.players, "discriminator": critic}

    def play(params: Players, context: Context):
        """(logits of data [B], logits of samples [B], new statistics)."""
        key, stats, x = context.key, context.stats, context.batch["x"]
        codes = keys.normal(keys.named(key, "latents"), x.shape[0], model.latent_size)  # [B, d]
        own_key = keys.named(key, "sample")
        outputs, decoder_stats = model.outputs(params, stats, codes, context.batch, own_key, train=True)
        own, judged = params["discriminator"], stats["discriminator"]
        real, judged = apply(critic, own, judged, x, train=True, key=keys.named(key, "real"))
        samples = model.likelihood.mean(outputs)  # [B, *shape]
        fake, judged = apply(critic, own, judged, samples, train=True, key=keys.named(key, "fake"))
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
        bound_phase(body),
        Phase(("discriminator",), discriminator_objective),
        Phase(("decoder",), decoder_objective),
    )
    return finish(compose(players, phases, body.hyper, aux=body.aux), body)._replace(adversarial=True)
