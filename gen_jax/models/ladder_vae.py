"""Hierarchical VAE with top-down inference (Sønderby et al. 2016; VDVAE, Child 2021): one phase, many latent levels.

log p(x) >= E_q[log p(x|z)] - Σ_l KL(q(z_l|z_<l, x) || p(z_l|z_<l)), every level's KL analytic given those above.
For the tools a latent is the standard normal *noise* of all levels, laid flat: `decode` turns it into latents top-down
under the prior, and `encode` gives the noise that reproduces the posterior's means.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from gen_jax.core import keys
from gen_jax.core import players as players_
from gen_jax.core.compose import compose
from gen_jax.core.phases import Phase
from gen_jax.core.players import Player, adam
from gen_jax.core.types import Algorithm, Array, Aux, Batch, Context, Players, Tree, Weights
from gen_jax.models import hypers
from gen_jax.models.codes import check_latent_size
from gen_jax.models.folding import repeat, unfold
from gen_jax.models.memory import chunk_size
from gen_jax.models.samplers import latent_samplers
from gen_jax.objectives import bounds, divergences, rate
from gen_jax.objectives.binarize import observed
from gen_jax.objectives.likelihoods import Binarization, Likelihood, check, levels_of, sum_event
from gen_jax.objectives.rate import FreeBits, Rate

Levels = tuple[dict[str, Array], ...]


def ladder_vae(
    encoder: nn.Module,
    decoder: nn.Module,
    *,
    latent_shapes: tuple[tuple[int, ...], ...],
    likelihood: Likelihood,
    shape: tuple[int, ...],
    hyper: Any,
    warm_up: Callable[[Array], Array] | None = None,
    free_bits: FreeBits = FreeBits.NONE,
    binarization: Binarization = Binarization.NONE,
    optimizer: Callable = adam("lr"),
) -> Algorithm:
    """A hierarchical VAE as an `Algorithm`.

    encoder: x -> activations (any pytree). decoder: (activations or None, noise, a tuple of [B, *latent_shape])
    -> (likelihood outputs, levels), as `nets.ladder.Decoder` says; latent_shapes: of its levels, coarse to fine.
    hyper: lr, b1, b2, beta; with free bits the allowance `free_bits`, nats a level; `clip_norm`, `ema_decay` as for
    `vae`.
    """
    values, how = hypers.values_of(hyper), Rate(warm_up, free_bits)
    check(likelihood, shape, binarization)
    hypers.need(values, how.reads)
    check_latent_size(sum(math.prod(s) for s in latent_shapes))
    x_example = jax.ShapeDtypeStruct((2, *shape), jnp.float32)

    def activated(x: Array) -> Tree:
        return encoder.init_with_output(jax.random.key(0), x, train=False)[0]

    noise_example = tuple(jax.ShapeDtypeStruct((2, *s), jnp.float32) for s in latent_shapes)
    activation_example = jax.eval_shape(activated, x_example)
    players = {
        "encoder": hypers.player(encoder, (x_example,), optimizer, values),
        "decoder": hypers.player(decoder, (activation_example, noise_example), optimizer, values),
    }
    model = _Ladder(players, latent_shapes)

    def objective(params: Players, context: Context) -> tuple[Array, Aux]:
        key, stats = context.key, context.stats
        x = observed(context.batch, key, binarization)
        activations, encoder_stats = model.bottom_up(params, stats, x, key, train=True)
        noise = keys.normal(keys.named(key, "posterior"), x.shape[0], model.size)
        (outputs, levels), decoder_stats = model.top_down(params, stats, activations, noise, key, train=True)
        by_level = kl_of(levels)
        reconstruction = sum_event(likelihood.log_prob(outputs, x)).mean()
        kl = sum(level.sum(axis=-1).mean() for level in by_level)
        allowance = jnp.float32(0.0) if free_bits is FreeBits.NONE else context.hyper["free_bits"]
        held = sum(rate.free_bits(level, allowance, free_bits).mean() for level in by_level)
        beta = rate.weight(how, context.hyper["beta"], context.step)
        metrics = {"elbo": reconstruction - kl, "reconstruction": reconstruction, "kl": kl, "beta": beta}
        metrics |= {f"kl/level_{i}": level.sum(axis=-1).mean() for i, level in enumerate(by_level)}
        return beta * held - reconstruction, Aux({"encoder": encoder_stats, "decoder": decoder_stats}, metrics)

    algorithm = compose(players, (Phase(("encoder", "decoder"), objective),), values)
    return _finish(algorithm, model, likelihood, binarization)


@dataclass(frozen=True)
class _Ladder:
    """The two networks; noise of all levels comes flat, [B, size]."""

    players: Mapping[str, Player]
    latent_shapes: tuple[tuple[int, ...], ...]

    @property
    def sizes(self) -> list[int]:
        return [math.prod(s) for s in self.latent_shapes]

    @property
    def size(self) -> int:
        return sum(self.sizes)

    def bottom_up(self, params: Players, stats: Players, x: Array, key: Array | None = None, *, train: bool):
        return players_.caller(self.players)("encoder", params, stats, x, train=train, key=key)

    def top_down(
        self, params: Players, stats: Players, activations: Tree, noise: Array, key: Array | None = None, *, train: bool
    ):
        """((likelihood outputs, levels), the decoder's statistics)."""
        pieces = jnp.split(noise, np.cumsum(self.sizes)[:-1].tolist(), axis=-1)
        by_level = tuple(p.reshape(-1, *s) for p, s in zip(pieces, self.latent_shapes, strict=True))
        return players_.caller(self.players)("decoder", params, stats, activations, by_level, train=train, key=key)

    def inferred(self, weights: Weights, x: Array, noise: Array) -> tuple[Array, Levels]:
        activations, _ = self.bottom_up(weights.params, weights.stats, x, train=False)
        return self.top_down(weights.params, weights.stats, activations, noise, train=False)[0]


def kl_of(levels: Levels) -> list[Array]:
    """KL of every level by dimension, [B, size] each."""
    by_level = []
    for level in levels:
        own, above = (level["q_mean"], level["q_log_variance"]), (level["p_mean"], level["p_log_variance"])
        by_level.append(divergences.kl_normal(*own, *above).reshape(level["z"].shape[0], -1))
    return by_level


def log_ratio(levels: Levels) -> Array:
    """Σ_l log p(z_l|z_<l) - log q(z_l|z_<l, x) at the levels' own samples: [N]."""
    total = jnp.zeros(levels[0]["z"].shape[0])
    for level in levels:
        log_p = divergences.normal_log_prob(level["z"], level["p_mean"], level["p_log_variance"])
        log_q = divergences.normal_log_prob(level["z"], level["q_mean"], level["q_log_variance"])
        total = total + (log_p - log_q).reshape(total.shape[0], -1).sum(axis=-1)
    return total


def _finish(algorithm: Algorithm, model: _Ladder, likelihood: Likelihood, binarization: Binarization) -> Algorithm:
    """The algorithm with what a hierarchy can do."""

    def prior(weights: Weights, key: Array, count: int, given: Mapping[str, Array] = {}) -> Array:
        return keys.normal(keys.named(key, "latents"), count, model.size)

    def decode(weights: Weights, latents: Array, given: Mapping[str, Array] = {}) -> Array:
        (outputs, _), _ = model.top_down(weights.params, weights.stats, None, latents, train=False)
        return likelihood.mean(outputs)

    def encode(weights: Weights, batch: Batch) -> dict[str, Array]:
        x = observed(batch, None, binarization)
        _, levels = model.inferred(weights, x, jnp.zeros((x.shape[0], model.size)))
        noise = [(level["z"] - level["p_mean"]) * jnp.exp(-0.5 * level["p_log_variance"]) for level in levels]
        return {"mean": jnp.concatenate([n.reshape(x.shape[0], -1) for n in noise], axis=-1)}

    def evaluate(weights: Weights, batch: Batch, key: Array) -> dict[str, Array]:
        """The bound (beta = 1) and its parts for every example, in nats, and the KL of every level."""
        x = observed(batch, key, binarization)
        noise = keys.normal(keys.named(key, "posterior"), x.shape[0], model.size)
        outputs, levels = model.inferred(weights, x, noise)
        by_level = [level.sum(axis=-1) for level in kl_of(levels)]
        reconstruction = sum_event(likelihood.log_prob(outputs, x))
        kl = jnp.sum(jnp.stack(by_level), axis=0)
        values = {"elbo": reconstruction - kl, "reconstruction": reconstruction, "kl": kl}
        return values | {f"kl/level_{i}": level for i, level in enumerate(by_level)}

    def score(weights: Weights, batch: Batch, key: Array) -> Array:
        """Anomaly score: the negative bound."""
        return -evaluate(weights, batch, key)["elbo"]

    def log_p(weights: Weights, batch: Batch, key: Array, samples: int) -> dict[str, Array]:
        """The importance-weighted bound at k = samples, in the memory of one chunk (see `vae_abilities`)."""
        params, stats, x = weights.params, weights.stats, observed(batch, key, binarization)
        activations, _ = model.bottom_up(params, stats, x, train=False)
        # The hidden maps of a convolutional decoder are far larger than its outputs.
        chunk = chunk_size(samples, 16 * x.size)

        def log_weights(index: Array) -> Array:
            own = jax.random.fold_in(keys.named(key, "importance"), index)
            noise = keys.normal(own, x.shape[0], chunk, model.size).reshape(-1, model.size)  # [B·chunk, size]
            (outputs, levels), _ = model.top_down(params, stats, repeat(activations, chunk), noise, train=False)
            log_w = sum_event(likelihood.log_prob(outputs, repeat(x, chunk))) + log_ratio(levels)
            return unfold(log_w, chunk)  # [chunk, B]

        return bounds.streaming_log_likelihood(log_weights, samples // chunk, chunk)._asdict()

    return algorithm._replace(
        samplers=latent_samplers(prior, decode, normal_prior=True),
        prior=prior,
        normal_prior=True,
        decode=decode,
        encode=encode,
        evaluate=evaluate,
        best="elbo",
        likelihood=log_p,
        levels=levels_of(likelihood, binarization),
        score=score,
    )
