"""FactorVAE (Kim & Mnih 2018): the VAE's loss plus γ times the total correlation, which a discriminator estimates.

Two phases: encoder and decoder against the discriminator's log-density ratio; then the discriminator tells codes of a
*second* minibatch from the same codes with each dimension shuffled over the batch (algorithm 1).
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
from gen_jax.models.vae_parts import Codes, Regularizer
from gen_jax.objectives import disentangle


def factor_vae(
    encoder: nn.Module,
    decoder: nn.Module,
    discriminator: nn.Module,
    *,
    latent_size: int,
    hyper: Mapping[str, float],
    discriminator_optimizer: Callable = adam("lr_discriminator", b1="b1_discriminator"),
    **options: Any,
) -> Algorithm:
    """FactorVAE as an `Algorithm`.

    discriminator: latents [B, latent_size] -> logits [B], larger for codes of q(z) than for shuffled ones. hyper: as
    for `vae`, and total_correlation (the paper's γ), lr_discriminator, b1_discriminator. options: those of `vae`.
    """
    body = vae_body(encoder, decoder, latent_size=latent_size, hyper=hyper, **options)
    codes_example = jax.ShapeDtypeStruct((2, latent_size), jnp.float32)
    critic = Player(discriminator, (codes_example,), discriminator_optimizer)

    def judge(params: Players, stats: Players, codes: Array, train: bool, key: Array | None = None):
        return apply(critic, params["discriminator"], stats["discriminator"], codes, train=train, key=key)

    def vae_objective(params: Players, context: Context) -> tuple[Array, Aux]:
        def total_correlation(codes: Codes) -> Array:
            return disentangle.density_ratio_tc(judge(params, context.stats, codes.latents, train=False)[0])

        return body.objective(params, context, (Regularizer("total_correlation", total_correlation),))

    def discriminator_objective(params: Players, context: Context) -> tuple[Array, Aux]:
        codes, _ = body.sample_posterior(params, context.stats, context.batch, context.key)
        shuffled = disentangle.permute_dims(codes, context.key)
        joint, stats = judge(params, context.stats, codes, True, keys.named(context.key, "joint"))
        stats = {**context.stats, "discriminator": stats}
        permuted, stats = judge(params, stats, shuffled, True, keys.named(context.key, "permuted"))
        loss = disentangle.density_ratio_loss(joint, permuted)
        accuracy = 0.5 * ((joint > 0).mean() + (permuted < 0).mean())
        metrics = {"loss/discriminator": loss, "accuracy/discriminator": accuracy}
        return loss, Aux({"discriminator": stats}, metrics)

    phases = (
        Phase(tuple(body.players), vae_objective),
        Phase(("discriminator",), discriminator_objective, fresh=True),
    )
    return finish(compose({**body.players, "discriminator": critic}, phases, hyper, aux=body.aux), body)
