"""MIWAE: a VAE learned from incomplete examples (Mattei & Frellsen 2019, arXiv:1812.02633). One phase.

It maximises the importance-weighted bound on the log-density of what is observed alone, log p(x observed), under the
encoder's q(z | x observed); what is missing is integrated out, which is exact where values are missing at random. One
model then has every conditional p(x missing | x observed): its samples are resampled, its mean is taken, by
self-normalised importance weights.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core import keys
from gen_jax.core.compose import compose
from gen_jax.core.errors import UserError
from gen_jax.core.phases import Phase
from gen_jax.core.players import adam, caller
from gen_jax.core.types import Algorithm, Array, Aux, Batch, Context, Players, Weights
from gen_jax.models import gaps, hypers
from gen_jax.models.codes import check_latent_size
from gen_jax.models.miwae_completion import completions
from gen_jax.models.miwae_parts import Miwae
from gen_jax.models.samplers import latent_samplers
from gen_jax.objectives import bounds
from gen_jax.objectives.bounds import Bound, Estimate, Estimator, Terms
from gen_jax.objectives.likelihoods import Binarization, Likelihood, check

TAILS = 5  # degrees of freedom of q: heavier tails than p(z)'s keep the importance weights bounded


def miwae(
    encoder: nn.Module,
    decoder: nn.Module,
    *,
    likelihood: Likelihood,
    shape: tuple[int, ...],
    hyper: Any,
    estimate: Estimate = Estimate(Bound.IWAE, Estimator.REPARAMETERISED, 20),
    tails: int | None = TAILS,
    hide: gaps.Masks | None = None,
    optimizer: Callable = adam("lr"),
) -> Algorithm:
    """A MIWAE as an `Algorithm`; x may have gaps (NaN).

    encoder: what is observed and which cells these are, side by side ([B, 2D], or [B, H, W, C + 1] of images) ->
    (location, log scale²) of q(z | x observed), each [B, d]. decoder: z [B, d] -> likelihood outputs [B, ..., P].
    tails: degrees of freedom of q, Student's t; None: a normal. hide: masks that hide more at every step, (key, x) ->
    mask, so that a model of complete data meets gaps, too; the bound is of what is left. hyper: lr, b1, b2;
    `ema_decay`, `clip_norm` as for `vae`.
    Samplers: "complete", given "x" and "mask": draws of what is missing (`noise` 0: the likelihood's means in place of
    draws, the default for images); "expected": E[x missing | x observed]; both by `samples` importance samples.
    `likelihood` is log p(x known), or with a "mask" log p(what is known and hidden | what is shown), the difference
    of two such estimates. Raises UserError for a likelihood that does not fit the data.
    """
    check(likelihood, shape, Binarization.NONE)
    check_latent_size(getattr(encoder, "latent_size", 1))
    if tails is not None and tails < 1:
        raise UserError(f"tails of {tails} degrees of freedom: give 1 or more")
    bounds.check(*estimate)
    values = hypers.values_of(hyper)
    seen = jax.eval_shape(lambda: gaps.nothing(2, shape).condition)
    location, _ = jax.eval_shape(lambda x: encoder.init_with_output(jax.random.key(0), x, train=False)[0], seen)
    players = {
        "encoder": hypers.player(encoder, (seen,), optimizer, values),
        "decoder": hypers.player(decoder, (jax.ShapeDtypeStruct(location.shape, jnp.float32),), optimizer, values),
    }
    model = Miwae(caller(players), likelihood, shape, location.shape[-1], tails)

    def objective(params: Players, context: Context) -> tuple[Array, Aux]:
        view, key = Weights(params, context.stats), context.key
        seen = gaps.look(context.batch)
        if hide is not None:
            seen = gaps.look(context.batch, seen.shown * hide(keys.named(key, "hide"), context.batch["x"]))
        posterior, encoder_stats = model.posterior(view, seen, key, train=True)
        latents = model.draw(key, *posterior, estimate.samples)  # [k, B, d]

        def terms_of(z: Array, posterior: tuple[Array, Array]) -> tuple[Terms, Any]:
            log_prob, _, stats = model.render(view, seen.x, seen.shown, z, key, train=True)
            return Terms(log_prob, model.log_prior(z), model.log_posterior(z, *posterior)), stats

        value, (terms, stats) = bounds.estimate(
            terms_of, latents, posterior, estimate.bound, estimate.estimator, groups=estimate.groups, has_aux=True
        )
        told = {"bound": value.mean(), "reconstruction": terms.log_likelihood.mean()}
        return -value.mean(), Aux({"encoder": encoder_stats, "decoder": stats}, told)

    return _finish(compose(players, (Phase(tuple(players), objective),), values), model, estimate.samples)


def _finish(algorithm: Algorithm, model: Miwae, samples: int) -> Algorithm:
    """The algorithm with what a MIWAE can do."""

    def prior(weights: Weights, key: Array, count: int, given: Mapping[str, Array] = {}) -> Array:
        return keys.normal(keys.named(key, "latents"), count, model.latent_size)

    def decode(weights: Weights, latents: Array, given: Mapping[str, Array] = {}) -> Array:
        """The mean of p(x|z)."""
        return model.likelihood.mean(model.call("decoder", *weights, latents, train=False)[0])

    def encode(weights: Weights, batch: Batch) -> dict[str, Array]:
        (location, log_square), _ = model.posterior(weights, gaps.look(batch))
        return {"mean": location} | ({"log_variance": log_square} if model.tails is None else {})

    def evaluate(weights: Weights, batch: Batch, key: Array) -> dict[str, Array]:
        """The bound on log p(x known) at as many samples as in training, for every example, in nats."""
        seen = gaps.look(batch)
        log_w, _ = model.weigh(weights, seen, seen.known, key, samples)(jnp.int32(0))
        return {"bound": bounds.iwae(log_w)}

    def likelihood(weights: Weights, batch: Batch, key: Array, samples: int) -> dict[str, Array]:
        seen = gaps.look(batch)
        whole = model.evidence(weights, seen._replace(shown=seen.known), keys.named(key, "whole"), samples)
        if "mask" not in batch:
            return whole._asdict()
        part = model.evidence(weights, seen, keys.named(key, "part"), samples)
        return {
            "value": whole.value - part.value,
            "standard_error": jnp.hypot(whole.standard_error, part.standard_error),
            "effective_samples": jnp.minimum(whole.effective_samples, part.effective_samples),
        }

    return algorithm._replace(
        samplers=latent_samplers(prior, decode, normal_prior=True) | completions(model),
        prior=prior,
        normal_prior=True,
        decode=decode,
        encode=encode,
        evaluate=evaluate,
        best="bound",
        likelihood=likelihood,
        levels=model.likelihood.levels,
        score=lambda weights, batch, key: -evaluate(weights, batch, key)["bound"],
        gaps=True,
    )
