"""Hierarchical VAE with top-down inference (Sønderby et al. 2016; VDVAE, Child 2021): one phase, many latent levels.

log p(x) >= E_q[log p(x|z)] - Σ_l KL(q(z_l|z_<l, x) || p(z_l|z_<l)), every level's KL analytic given those above.
For the tools a latent is the standard normal *noise* of all levels, laid flat: `decode` turns it into latents top-down
under the prior, and `encode` gives the noise that reproduces the posterior's means.
"""

import math
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from gen_jax.core import keys
from gen_jax.core.phases import compose
from gen_jax.core.players import Player, adam, apply
from gen_jax.core.types import Algorithm, Array, Aux, Batch, Context, Phase, Players, Weights
from gen_jax.models import vae_parts as parts
from gen_jax.objectives import bounds, divergences, rate
from gen_jax.objectives.likelihoods import Binarization, Likelihood, check
from gen_jax.objectives.rate import FreeBits

Levels = tuple[dict[str, Array], ...]


def ladder_vae(
    encoder: nn.Module,
    decoder: nn.Module,
    *,
    latent_shapes: tuple[tuple[int, ...], ...],
    likelihood: Likelihood,
    shape: tuple[int, ...],
    hyper: Mapping[str, float],
    warm_up: Callable[[Array], Array] | None = None,
    free_bits: FreeBits = FreeBits.NONE,
    binarization: Binarization = Binarization.NONE,
    optimizer: Callable = adam("lr"),
) -> Algorithm:
    """A hierarchical VAE as an `Algorithm`.

    encoder: images -> activations (any pytree). decoder: (activations or None, noise, a tuple of [B, *latent_shape])
    -> (likelihood outputs, levels), as `nets.ladder.Decoder` says; latent_shapes: of its levels, coarse to fine.
    hyper: lr, b1, b2, beta; with free bits the allowance `free_bits`, nats a level; `clip`, `ema_decay` as for `vae`.
    """
    check(likelihood, shape, binarization)
    sizes = [math.prod(s) for s in latent_shapes]
    parts.check_latent_size(sum(sizes))
    average, clip = ("ema_decay" if "ema_decay" in hyper else None), ("clip" if "clip" in hyper else None)
    image_example = jax.ShapeDtypeStruct((2, *shape), jnp.float32)

    def activated(image: Array):
        return encoder.init_with_output(jax.random.key(0), image, train=False)[0]

    noise_example = tuple(jax.ShapeDtypeStruct((2, *s), jnp.float32) for s in latent_shapes)
    activation_example = jax.eval_shape(activated, image_example)
    players = {
        "encoder": Player(encoder, (image_example,), optimizer, ema=average, clip=clip),
        "decoder": Player(decoder, (activation_example, noise_example), optimizer, ema=average, clip=clip),
    }

    def split(flat: Array) -> tuple[Array, ...]:
        pieces = jnp.split(flat, np.cumsum(sizes)[:-1].tolist(), axis=-1)
        return tuple(p.reshape(flat.shape[0], *s) for p, s in zip(pieces, latent_shapes, strict=True))

    def bottom_up(params: Players, stats: Players, image: Array, key: Array | None, train: bool):
        own = None if key is None else keys.named(key, "encoder")
        return apply(players["encoder"], params["encoder"], stats["encoder"], image, train=train, key=own)

    def top_down(params: Players, stats: Players, activations, noise: Array, key: Array | None, train: bool):
        own = None if key is None else keys.named(key, "decoder")
        inputs = activations, split(noise)
        return apply(players["decoder"], params["decoder"], stats["decoder"], *inputs, train=train, key=own)

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

    def objective(params: Players, context: Context) -> tuple[Array, Aux]:
        key = context.key
        image = parts.observed(context.batch, key, binarization)
        activations, encoder_stats = bottom_up(params, context.stats, image, key, train=True)
        noise = keys.normal(keys.named(key, "posterior"), image.shape[0], sum(sizes))
        (outputs, levels), decoder_stats = top_down(params, context.stats, activations, noise, key, train=True)
        by_level = kl_of(levels)
        reconstruction = likelihood.log_prob(outputs, image).mean()
        kl = sum(level.sum(axis=-1).mean() for level in by_level)
        allowance = context.hyper.get("free_bits", jnp.float32(0.0))
        held = sum(rate.free_bits(level, allowance, free_bits).mean() for level in by_level)
        beta = context.hyper["beta"] * (warm_up(context.step) if warm_up else 1.0)
        metrics = {"elbo": reconstruction - kl, "reconstruction": reconstruction, "kl": kl, "beta": beta}
        metrics |= {f"kl/level_{i}": level.sum(axis=-1).mean() for i, level in enumerate(by_level)}
        return beta * held - reconstruction, Aux({"encoder": encoder_stats, "decoder": decoder_stats}, metrics)

    def inferred(weights: Weights, image: Array, noise: Array):
        activations, _ = bottom_up(weights.params, weights.stats, image, None, train=False)
        return top_down(weights.params, weights.stats, activations, noise, None, train=False)[0]

    def prior(weights: Weights, key: Array, count: int) -> Array:
        return keys.normal(keys.named(key, "latents"), count, sum(sizes))

    def decode(weights: Weights, latents: Array, label: Array | None = None) -> Array:
        (outputs, _), _ = top_down(weights.params, weights.stats, None, latents, None, train=False)
        return likelihood.mean(outputs)

    def sample(weights: Weights, key: Array, count: int, label: Array | None = None) -> Array:
        return decode(weights, prior(weights, key, count))

    def encode(weights: Weights, batch: Batch) -> dict[str, Array]:
        image = parts.observed(batch, None, binarization)
        _, levels = inferred(weights, image, jnp.zeros((image.shape[0], sum(sizes))))
        noise = [(level["z"] - level["p_mean"]) * jnp.exp(-0.5 * level["p_log_variance"]) for level in levels]
        return {"mean": jnp.concatenate([n.reshape(image.shape[0], -1) for n in noise], axis=-1)}

    def evaluate(weights: Weights, hyper: Mapping[str, Array], batch: Batch, key: Array) -> dict[str, Array]:
        """The bound (beta = 1) and its parts for every example, in nats, and the KL of every level."""
        image = parts.observed(batch, key, binarization)
        noise = keys.normal(keys.named(key, "posterior"), image.shape[0], sum(sizes))
        outputs, levels = inferred(weights, image, noise)
        by_level = [level.sum(axis=-1) for level in kl_of(levels)]
        reconstruction, kl = likelihood.log_prob(outputs, image), jnp.sum(jnp.stack(by_level), axis=0)
        values = {"elbo": reconstruction - kl, "reconstruction": reconstruction, "kl": kl}
        return values | {f"kl/level_{i}": level for i, level in enumerate(by_level)}

    def score(weights: Weights, batch: Batch, key: Array) -> Array:
        """Anomaly score: the negative bound."""
        return -evaluate(weights, {}, batch, key)["elbo"]

    def log_likelihood_details(weights: Weights, batch: Batch, key: Array, samples: int) -> dict[str, Array]:
        """The importance-weighted bound at k = samples, in the memory of one chunk (see `vae_body`)."""
        image = parts.observed(batch, key, binarization)
        activations, _ = bottom_up(weights.params, weights.stats, image, None, train=False)
        # The hidden maps of a convolutional decoder are far larger than its outputs.
        chunk = parts.chunk_size(samples, 16 * image.size)

        def log_weights(index: Array) -> Array:
            own = jax.random.fold_in(keys.named(key, "importance"), index)
            noise = keys.normal(own, image.shape[0], chunk, sum(sizes)).reshape(-1, sum(sizes))
            seen = parts.repeat(activations, chunk)
            (outputs, levels), _ = top_down(weights.params, weights.stats, seen, noise, None, train=False)
            log_w = likelihood.log_prob(outputs, parts.repeat(image, chunk)) + log_ratio(levels)
            return parts.unfold(log_w, chunk)

        return bounds.streaming_log_likelihood(log_weights, samples // chunk, chunk)._asdict()

    def log_likelihood(weights: Weights, batch: Batch, key: Array, samples: int) -> Array:
        return log_likelihood_details(weights, batch, key, samples)["value"]

    algorithm = compose(players, (Phase(("encoder", "decoder"), objective),), hyper)
    return algorithm._replace(
        best="elbo",
        prior=prior,
        decode=decode,
        sample=sample,
        encode=encode,
        evaluate=evaluate,
        score=score,
        log_likelihood=log_likelihood,
        log_likelihood_details=log_likelihood_details,
        levels=parts.levels_of(likelihood, binarization),
    )
