"""The one body of every VAE here: its densities, which bound it trains on and how its KL is weighed.

`vae` and the hybrids take a `Body` and put its objective, or parts of it, into phases.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core import keys
from gen_jax.core.errors import UserError
from gen_jax.core.phases import Phase
from gen_jax.core.players import Player, adam, check_call
from gen_jax.core.types import Algorithm, Array, Aux, Batch, Context, Players, Tree, given_of
from gen_jax.models import hypers
from gen_jax.models.codes import Codes, Regularizer, check_latent_size, weighted
from gen_jax.models.conditions import examples_of
from gen_jax.models.flow_stacks import FlowStack
from gen_jax.models.tree_players import has_parameters, tree_player
from gen_jax.models.vae_abilities import with_abilities
from gen_jax.models.vae_densities import Densities, Encode
from gen_jax.models.vae_losses import Seen, bound_loss, plain_loss
from gen_jax.objectives import bounds, priors
from gen_jax.objectives import rate as rates
from gen_jax.objectives.binarize import observed
from gen_jax.objectives.bounds import Estimate, Estimator
from gen_jax.objectives.likelihoods import Binarization, Likelihood, check
from gen_jax.objectives.priors import Prior
from gen_jax.objectives.rate import FreeBits, Rate


class Body(NamedTuple):
    """A VAE in parts: what `vae_body` was told, checked and made into players."""

    players: dict[str, Player]
    densities: Densities
    hyper: dict[str, float]  # of the whole model that the body becomes part of
    binarization: Binarization
    estimate: Estimate
    rate: Rate
    aux: dict[str, Tree]  # initial states of controllers


def vae_body(
    encoder: nn.Module,
    decoder: nn.Module,
    *,
    likelihood: Likelihood,
    shape: tuple[int, ...],
    hyper: Any,
    binarization: Binarization = Binarization.NONE,
    estimate: Estimate = Estimate(),
    rate: Rate = Rate(),
    prior: Prior | Callable[[Encode], Prior] | None = None,
    posterior_flow: FlowStack | None = None,
    given: Mapping[str, jax.ShapeDtypeStruct] = {},
    optimizer: Callable = adam("lr"),
) -> Body:
    """The parts of a VAE.

    encoder: x [B, *shape] (and what is given) -> (mean, log_variance), each [B, d], and for a flow posterior optionally
    a context [B, c]; d is the latent size. decoder: latents [B, d] (and what is given) -> likelihood outputs.
    hyper: a mapping or a dataclass (see `vae.Hyper`): lr, b1, b2, and what rate, estimate and the model name; with
    `ema_decay` all players are averaged for sampling and evaluation; with `clip_norm` each player's gradient norm is
    held to it. binarization: what is done to pixels before they are scored, in training and evaluation alike.
    estimate: see `objectives.bounds`; CIWAE's β is hyper["elbo_weight"].
    prior: default N(0, I); a `Prior`, or a function of the encoder that makes one (VampPrior). Its parameters are the
    player "prior". posterior_flow: from `flow_stacks.inverse_autoregressive_stack`. given: what both networks see
    beside their input, such as `core.types.LABEL`.
    Raises UserError for latent size < 1, a likelihood that does not fit the data, and options that exclude each other.
    """
    values, example = hypers.values_of(hyper), jax.ShapeDtypeStruct((2, *shape), jnp.float32)
    check(likelihood, shape, binarization)
    bounds.check(*estimate)
    _check_options(estimate, rate, prior, posterior_flow, given)
    beside = examples_of(given)
    latent_size = _latent_size(encoder, example, *beside)
    code = jax.ShapeDtypeStruct((2, latent_size), jnp.float32)
    players = {
        "encoder": hypers.player(encoder, (example, *beside), optimizer, values),
        "decoder": hypers.player(decoder, (code, *beside), optimizer, values),
    }
    chosen = priors.standard_normal(latent_size) if prior is None else prior
    example_prior = chosen if isinstance(chosen, Prior) else chosen(lambda x: (x, x))
    if has_parameters(example_prior):
        players["prior"] = tree_player(example_prior.init, optimizer, values)
    if posterior_flow is not None:
        players["posterior_flow"] = tree_player(posterior_flow.init, optimizer, values)
    densities = Densities(players, likelihood, shape, latent_size, tuple(given), chosen, posterior_flow, prior is None)
    aux = {"geco": rates.geco_init()} if rate.geco else {}
    return Body(players, densities, values, binarization, estimate, rate, aux)


def _latent_size(encoder: nn.Module, *inputs: jax.ShapeDtypeStruct) -> int:
    # Asked first where the encoder names it: initialisers die on a size of 0 with a traceback.
    check_latent_size(getattr(encoder, "latent_size", 1))

    check_call(encoder, *inputs)

    def encoded(*inputs: Array) -> Any:
        key = jax.random.key(0)
        return encoder.init_with_output({"params": key, "dropout": key}, *inputs, train=False)[0]

    return int(jax.eval_shape(encoded, *inputs)[0].shape[-1])


def _check_options(estimate: Estimate, how: Rate, prior: Any, flow: FlowStack | None, given: Mapping) -> None:
    """UserError for combinations that have no meaning."""
    rates.check(how)
    if how._replace(warm_up=None) != Rate() and not estimate.plain:
        raise UserError(
            "free bits, capacity and geco steer the KL of the plain elbo; with another bound or estimator there is none"
        )
    if how.free_bits is FreeBits.PER_DIMENSION and (prior is not None or flow is not None):
        raise UserError("free bits per dimension need the standard normal prior and no flow; use per_layer")
    if flow is not None and estimate.estimator is not Estimator.REPARAMETERISED:
        raise UserError(f"a flow posterior has no {estimate.estimator.value} estimator here; use reparameterised")
    if given and prior is not None and not isinstance(prior, Prior):
        raise UserError(f"a VampPrior's pseudo-inputs have no {', '.join(given)}; use another prior, or give nothing")


def check_plain(body: Body, model: str) -> None:
    """UserError where the body has what `model`, which has a loss of its own, would not train with."""
    if not body.densities.analytic:
        raise UserError(f"{model} trains under N(0, I) and a normal q(z|x); leave out prior and posterior_flow")
    if body.estimate != Estimate():
        raise UserError(f"{model} has no importance-weighted bound to train on; leave estimate out")
    if body.rate != Rate():
        raise UserError(f"{model} does not steer its KL; leave rate out")


def bound_phase(body: Body, regularizers: tuple[Regularizer, ...] = ()) -> Phase:
    """The phase that moves the body's players on its bound. UserError where its hypers lack."""
    hypers.need(body.hyper, (*body.rate.reads, *(term.weight for term in regularizers)))
    return Phase(tuple(body.players), lambda params, context: objective(body, params, context, regularizers))


def objective(
    body: Body, params: Players, context: Context, regularizers: tuple[Regularizer, ...] = ()
) -> tuple[Array, Aux]:
    """The loss of the body's players, with what regularisers add to it."""
    model, batch, key = body.densities, context.batch, context.key
    x, given = observed(batch, key, body.binarization), given_of(batch, model.given)
    posterior, encoder_stats = model.posterior(params, context.stats, x, given, key, train=True)
    latents = model.draw(params, posterior, key, body.estimate.samples)
    seen = Seen(x, given, posterior, latents)
    if body.estimate.plain:
        loss = plain_loss(model, body.rate, params, context, seen)
    else:
        loss = bound_loss(model, body.estimate, body.rate, params, context, seen)
    value, metrics = loss.value, loss.metrics
    if regularizers:

        def decode_here(z: Array) -> Array:
            return model.likelihood.mean(model.outputs(params, context.stats, z, given, train=False)[0])

        own = keys.named(key, "regularizers")
        codes = Codes(latents.z[0], posterior.mean, posterior.log_variance, decode_here, context.hyper, own)
        total, values = weighted(regularizers, codes, first=len(metrics))
        value, metrics = value + total, metrics | values
    return value, Aux({"encoder": encoder_stats, "decoder": loss.decoder}, metrics, loss.aux)


def sample_posterior(body: Body, params: Players, stats: Players, batch: Batch, key: Array) -> Array:
    """One draw of q(z|x) for every example, as in evaluation: [B, d]."""
    model, x = body.densities, observed(batch, key, body.binarization)
    posterior, _ = model.posterior(params, stats, x, batch, train=False)
    return model.draw(params, posterior, key, 1).z[0]


def finish(algorithm: Algorithm, body: Body) -> Algorithm:
    """The algorithm with all that a VAE can do."""
    return with_abilities(algorithm, body.densities, body.estimate, body.binarization)
