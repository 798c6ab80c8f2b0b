"""FactorVAE (Kim & Mnih 2018): the VAE's loss plus γ times the total correlation, which a discriminator estimates.

Two phases: encoder and decoder against the discriminator's log-density ratio; then the discriminator tells codes of a
*second* minibatch from the same codes with each dimension shuffled over the batch (algorithm 1).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core import keys
from gen_jax.core.compose import compose
from gen_jax.core.phases import Phase
from gen_jax.core.players import adam, apply
from gen_jax.core.types import Algorithm, Array, Aux, Context, Players
from gen_jax.models import hypers
from gen_jax.models.codes import Codes, Regularizer
from gen_jax.models.vae_body import Body, finish, objective, sample_posterior
from gen_jax.objectives import disentangle


def factor_vae(
    body: Body,
    discriminator: nn.Module,
    *,
    optimizer: Callable = adam("lr_discriminator", b1="b1_discriminator", b2="b2_discriminator"),
) -> Algorithm:
    """FactorVAE as an `Algorithm`.

    discriminator: latents [B, d] -> logits [B], larger for codes of q(z) than for shuffled ones; optimizer: its own.
    hyper (of the body): as for `vae`, and total_correlation (the paper's γ), lr_discriminator, b1_discriminator,
    b2_discriminator (1e-4, .5 and .9 in disentanglement_lib).
    """
    codes_example = jax.ShapeDtypeStruct((2, body.densities.latent_size), jnp.float32)
    critic = hypers.player(discriminator, (codes_example,), optimizer, body.hyper, average=False)

    def judge(params: Players, stats: Players, codes: Array, train: bool, key: Array | None = None):
        return apply(critic, params["discriminator"], stats["discriminator"], codes, train=train, key=key)

    def vae_objective(params: Players, context: Context) -> tuple[Array, Aux]:
        def total_correlation(codes: Codes) -> Array:
            return disentangle.density_ratio_tc(judge(params, context.stats, codes.latents, train=False)[0])

        return objective(body, params, context, (Regularizer("total_correlation", total_correlation),))

    def discriminator_objective(params: Players, context: Context) -> tuple[Array, Aux]:
        codes = sample_posterior(body, params, context.stats, context.batch, context.key)  # [B, d]
        shuffled = disentangle.permute_dims(codes, context.key)
        joint, stats = judge(params, context.stats, codes, True, keys.named(context.key, "joint"))
        stats = {**context.stats, "discriminator": stats}
        permuted, stats = judge(params, stats, shuffled, True, keys.named(context.key, "permuted"))
        loss = disentangle.density_ratio_loss(joint, permuted)
        accuracy = 0.5 * ((joint > 0).mean() + (permuted < 0).mean())
        metrics = {"loss/discriminator": loss, "accuracy/discriminator": accuracy}
        return loss, Aux({"discriminator": stats}, metrics)

    hypers.need(body.hyper, (*body.rate.reads, "total_correlation"))
    phases = (
        Phase(tuple(body.players), vae_objective),
        Phase(("discriminator",), discriminator_objective, fresh=True),
    )
    algorithm = compose({**body.players, "discriminator": critic}, phases, body.hyper, aux=body.aux)
    return finish(algorithm, body)._replace(adversarial=True)
