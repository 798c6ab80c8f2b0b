"""The loss of a VAE: the plain ELBO, whose KL may be steered, or any bound with any estimator.

Bounds and estimators (ELBO to CIWAE; reparameterised, STL, DReG) differ in `objectives.bounds.estimate` alone. The
plain ELBO keeps the analytic KL where there is one, so that free bits, capacity and GECO can hold it by dimension.
"""

from typing import NamedTuple

import jax.numpy as jnp

from gen_jax.core import axis
from gen_jax.core.types import Array, Context, Given, Players, Tree
from gen_jax.models.folding import repeat
from gen_jax.models.vae_densities import Densities, Latents, Posterior
from gen_jax.objectives import bounds, rate
from gen_jax.objectives.bounds import Bound, Estimate, Terms
from gen_jax.objectives.likelihoods import sum_event
from gen_jax.objectives.rate import FreeBits, Rate


class Loss(NamedTuple):
    """A loss and what came with it."""

    value: Array  # scalar
    decoder: Tree  # the decoder's new statistics
    metrics: dict[str, Array]
    aux: dict[str, Tree]  # new states of controllers


class Seen(NamedTuple):
    """One batch on its way through a VAE in training."""

    x: Array  # [B, *shape]
    given: Given
    posterior: Posterior
    latents: Latents


def plain_loss(model: Densities, how: Rate, params: Players, context: Context, seen: Seen) -> Loss:
    """Minus the ELBO, its KL weighed as `how` says."""
    hyper, latents, posterior = context.hyper, seen.latents, seen.posterior
    log_prob, outputs, stats = model.render(
        params, context.stats, seen.x, latents.z, seen.given, context.key, train=True
    )
    kl = model.divergence(params, context.stats, latents, posterior)  # [B, d or 1]
    reconstruction, total = log_prob.mean(axis=0).mean(), kl.sum(axis=-1)  # [], [B]
    metrics = {"elbo": reconstruction - total.mean(), "reconstruction": reconstruction, "kl": total.mean()}
    if how.capacity is not None:
        excess = rate.capacity_penalty(axis.batch_mean(total), how.capacity(context.step), hyper["gamma"])
        return Loss(excess - reconstruction, stats, metrics, {})
    if how.geco:
        samples = latents.z.shape[0]
        pictures = model.likelihood.mean(outputs)  # [B·k, *shape]
        error = sum_event((pictures - repeat(seen.x, samples)) ** 2).reshape(-1, samples).mean(axis=1)  # [B]
        constraint, controller = rate.geco(error, hyper["tolerance"], context.aux["geco"])
        metrics |= {"squared_error": error.mean(), "multiplier": jnp.exp(controller.log_multiplier)}
        return Loss(total.mean() + constraint.mean(), stats, metrics, {"geco": controller})
    allowance = jnp.float32(0.0) if how.free_bits is FreeBits.NONE else hyper["free_bits"]
    beta = rate.weight(how, hyper["beta"], context.step)
    held = rate.free_bits(kl, allowance, how.free_bits)  # [B]
    return Loss(beta * held.mean() - reconstruction, stats, {"beta": beta} | metrics, {})


def bound_loss(model: Densities, estimate: Estimate, how: Rate, params: Players, context: Context, seen: Seen) -> Loss:
    """Minus the bound that `estimate` names, its KL part times beta."""

    def terms_of(latents: Latents, posterior: Posterior) -> tuple[Terms, Tree]:
        log_prob, _, stats = model.render(params, context.stats, seen.x, latents.z, seen.given, context.key, train=True)
        log_prior = model.log_prior(params, context.stats, latents.z)
        return Terms(log_prob, log_prior, model.log_posterior(latents, posterior)), stats  # [k, B] each

    beta = rate.weight(how, context.hyper["beta"], context.step)
    share = context.hyper.get("elbo_weight", 0.5) if estimate.bound is Bound.CIWAE else 0.5
    settings = {"groups": estimate.groups, "weight": share, "beta": beta}
    value, (terms, stats) = bounds.estimate(
        terms_of, seen.latents, seen.posterior, estimate.bound, estimate.estimator, has_aux=True, **settings
    )
    elbo, reconstruction = bounds.log_weights(terms).mean(), terms.log_likelihood.mean()
    metrics = {"bound": value.mean(), "elbo": elbo, "reconstruction": reconstruction, "kl": reconstruction - elbo}
    return Loss(-value.mean(), stats, {"beta": beta} | metrics, {})
