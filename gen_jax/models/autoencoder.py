"""Deterministic autoencoders with a density for their codes: RAE (Ghosh et al. 2020), WAE-MMD (Tolstikhin et al. 2018).

The loss is reconstruction plus regularisers of the codes. What a VAE's prior is, here is either fixed (WAE: N(0, I)) or
a density fitted to the codes (RAE's ex-post estimate) by a second phase from which the encoder gets no gradient, so
the autoencoder is the same as without it.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core import keys
from gen_jax.core.compose import compose
from gen_jax.core.phases import Phase
from gen_jax.core.players import Call, adam, caller
from gen_jax.core.types import Algorithm, Array, Aux, Batch, Context, Players, Weights
from gen_jax.models import hypers
from gen_jax.models.codes import Codes, Regularizer, check_latent_size, weighted
from gen_jax.models.conditions import examples_of, values_of
from gen_jax.models.samplers import latent_samplers
from gen_jax.models.tree_players import tree_of, tree_player
from gen_jax.objectives import priors
from gen_jax.objectives.binarize import observed
from gen_jax.objectives.likelihoods import Binarization, Likelihood, check, sum_event
from gen_jax.objectives.priors import Prior


def autoencoder(
    encoder: nn.Module,
    decoder: nn.Module,
    *,
    likelihood: Likelihood,
    shape: tuple[int, ...],
    latent_size: int,
    hyper: Any,
    given: Mapping[str, jax.ShapeDtypeStruct] = {},
    regularizers: tuple[Regularizer, ...] = (),
    density: Prior | None = None,
    binarization: Binarization = Binarization.NONE,
    optimizer: Callable = adam("lr"),
    density_optimizer: Callable = adam("lr_density"),
) -> Algorithm:
    """A regularised autoencoder as an `Algorithm`.

    encoder: x (and what is given) -> (mean, anything): the mean [B, latent_size] is the code. decoder: codes (and what
    is given) -> likelihood outputs. given: what both see beside their input, such as `core.types.LABEL`; the density of
    codes is not told.
    hyper: a mapping or a dataclass: lr, b1, b2, the regularisers' weights, with a `density` lr_density; `ema_decay`
    averages every player, `clip_norm` bounds its gradient.
    density: fitted to the codes in a phase of its own and sampled from; by default N(0, I), as a WAE wants it.
    `evaluate`: log p(x | code), the squared error and, with a density, log p(code). None of them bounds log p(x).
    """
    values, x_example = hypers.values_of(hyper), jax.ShapeDtypeStruct((2, *shape), jnp.float32)
    check(likelihood, shape, binarization)
    check_latent_size(latent_size)
    hypers.need(values, [term.weight for term in regularizers])
    code_example, beside = jax.ShapeDtypeStruct((2, latent_size), jnp.float32), examples_of(given)
    players = {
        "encoder": hypers.player(encoder, (x_example, *beside), optimizer, values),
        "decoder": hypers.player(decoder, (code_example, *beside), optimizer, values),
    }
    if density is not None:
        players["density"] = tree_player(density.init, density_optimizer, values)
    call = caller(players)

    def objective(params: Players, context: Context) -> tuple[Array, Aux]:
        key, stats = context.key, context.stats
        x, told = observed(context.batch, key, binarization), values_of(context.batch, given)
        (codes, *_), encoder_stats = call("encoder", params, stats, x, *told, train=True, key=key)  # [B, d]
        outputs, decoder_stats = call("decoder", params, stats, codes, *told, train=True, key=key)
        reconstruction = sum_event(likelihood.log_prob(outputs, x)).mean()
        metrics = {"reconstruction": reconstruction, "code_norm": (codes**2).sum(axis=-1).mean()}

        def decode_here(codes: Array) -> Array:
            return likelihood.mean(call("decoder", params, stats, codes, *told, train=False)[0])

        seen = Codes(codes, codes, None, decode_here, context.hyper, keys.named(key, "regularizers"))
        total, terms = weighted(regularizers, seen, first=len(metrics))
        return total - reconstruction, Aux({"encoder": encoder_stats, "decoder": decoder_stats}, metrics | terms)

    def density_objective(params: Players, context: Context) -> tuple[Array, Aux]:
        assert density is not None
        x = observed(context.batch, context.key, binarization)
        (codes, *_), _ = call("encoder", params, context.stats, x, *values_of(context.batch, given), train=False)
        value = density.log_prob(tree_of(params, "density"), codes).mean()
        return -value, Aux(metrics={"log_density": value})

    phases = [Phase(("encoder", "decoder"), objective)]
    if density is not None:
        phases.append(Phase(("density",), density_objective))
    model = priors.standard_normal(latent_size) if density is None else density
    algorithm = compose(players, phases, values)._replace(normal_prior=density is None, given=tuple(given))
    return _finish(algorithm, call, model, likelihood, binarization)


def _finish(
    algorithm: Algorithm, call: Call, density: Prior, likelihood: Likelihood, binarization: Binarization
) -> Algorithm:
    """The algorithm with what an autoencoder can do; `density` is of its codes."""

    def prior(weights: Weights, key: Array, count: int, given: Mapping[str, Array] = {}) -> Array:
        return density.sample(tree_of(weights.params, "density"), keys.named(key, "latents"), count)

    def decode(weights: Weights, latents: Array, given: Mapping[str, Array] = {}) -> Array:
        told = values_of(given, algorithm.given)
        return likelihood.mean(call("decoder", weights.params, weights.stats, latents, *told, train=False)[0])

    def code_of(weights: Weights, x: Array, told: tuple[Array, ...]) -> Array:
        return call("encoder", weights.params, weights.stats, x, *told, train=False)[0][0]  # [B, d]

    def encode(weights: Weights, batch: Batch) -> dict[str, Array]:
        return {"mean": code_of(weights, observed(batch, None, binarization), values_of(batch, algorithm.given))}

    def evaluate(weights: Weights, batch: Batch, key: Array) -> dict[str, Array]:
        x, told = observed(batch, key, binarization), values_of(batch, algorithm.given)
        codes = code_of(weights, x, told)
        outputs, _ = call("decoder", weights.params, weights.stats, codes, *told, train=False)
        found = {
            "reconstruction": sum_event(likelihood.log_prob(outputs, x)),
            "squared_error": sum_event((likelihood.mean(outputs) - x) ** 2),
        }
        if not algorithm.normal_prior:
            found["log_density"] = density.log_prob(tree_of(weights.params, "density"), codes)
        return found

    def score(weights: Weights, batch: Batch, key: Array) -> Array:
        """Anomaly score: the squared error of the reconstruction."""
        return evaluate(weights, batch, key)["squared_error"]

    return algorithm._replace(
        samplers=latent_samplers(prior, decode, algorithm.given, algorithm.normal_prior),
        prior=prior,
        decode=decode,
        encode=encode,
        point_codes=True,
        evaluate=evaluate,
        best="reconstruction",
        score=score,
    )
