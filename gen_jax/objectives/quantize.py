"""Vector quantisation (VQ-VAE, van den Oord et al. 2017): nearest code, straight-through, EMA codebook, revival.

Latents are [B, ..., d] and a codebook [K, d]. Counts and sums are taken over the global batch, so the codebook is the
same on every backend; everything the codebook carries is one NamedTuple of arrays, for `State.stats` or `State.aux`.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from gen_jax.core import axis, keys


class Codebook(NamedTuple):
    """Codes and the moving averages behind them: `embedding` = `sums` / smoothed `counts`."""

    embedding: jax.Array  # [K, d]
    counts: jax.Array  # [K]: latents a batch that chose each code
    sums: jax.Array  # [K, d]: sum of those latents


def codebook_init(key: jax.Array, codes: int, dims: int) -> Codebook:
    """Codes from U(-1/K, 1/K) as in the first VQ-VAE, each with a count of one."""
    embedding = jax.random.uniform(keys.named(key, "codebook"), (codes, dims), minval=-1.0 / codes, maxval=1.0 / codes)
    return Codebook(embedding, jnp.ones(codes), embedding)


def nearest(latents: jax.Array, embedding: jax.Array) -> jax.Array:
    """The index of each latent's nearest code, int32 [B, ...]; ties go to the lowest index."""
    scores = 2.0 * latents @ embedding.T - jnp.sum(embedding**2, axis=-1)  # minus the distance, up to |latent|²
    return jnp.argmax(scores, axis=-1).astype(jnp.int32)


def lookup(indices: jax.Array, embedding: jax.Array) -> jax.Array:
    """[B, ...] -> [B, ..., d]."""
    return embedding[indices]


def straight_through(latents: jax.Array, quantized: jax.Array) -> jax.Array:
    """Value of `quantized`, gradient as if it were `latents`."""
    return latents + lax.stop_gradient(quantized - latents)


def _mean_square(left: jax.Array, right: jax.Array) -> jax.Array:
    return jnp.mean((left - right) ** 2, axis=tuple(range(1, left.ndim)))


def commitment(latents: jax.Array, quantized: jax.Array) -> jax.Array:
    """Mean squared distance of latents to their (constant) codes, [B]; moves the encoder. Over all numbers, as Sonnet
    has it; the paper's, which it weighs 0.25, is d times this: a sum over a code's d numbers, a mean over the codes."""
    return _mean_square(latents, lax.stop_gradient(quantized))


def usage(indices: jax.Array, codes: int) -> jax.Array:
    """The share of the global batch that chose each code: [K], sums to 1."""
    return axis.pmean(jnp.bincount(indices.reshape(-1), length=codes) / indices.size)


def perplexity(indices: jax.Array, codes: int) -> jax.Array:
    """exp(entropy of `usage`): between 1 (collapsed) and K (all codes alike)."""
    shares = usage(indices, codes)
    return jnp.exp(-jnp.sum(jnp.where(shares > 0, shares * jnp.log(jnp.where(shares > 0, shares, 1.0)), 0.0)))


def ema_update(
    codebook: Codebook,
    latents: jax.Array,
    indices: jax.Array,
    decay: float | jax.Array = 0.99,
    epsilon: float = 1e-5,
) -> Codebook:
    """One exponential-moving-average k-means step (van den Oord et al. 2017, appendix A.1; smoothing as in Sonnet).

    N ← γN + (1-γ)n, m ← γm + (1-γ)Σz, e = m / Ñ with Ñ = (N + ε)/(ΣN + Kε) ΣN; n and Σz over the global batch.
    """
    codes, dims = codebook.embedding.shape
    flat, chosen = lax.stop_gradient(latents).reshape(-1, dims), indices.reshape(-1)
    shards = lax.psum(1, axis.DATA_AXIS) if axis.bound() else 1  # a mean over shards times their number is a sum
    fresh_counts = shards * axis.pmean(jnp.bincount(chosen, length=codes).astype(flat.dtype))
    fresh_sums = shards * axis.pmean(jax.ops.segment_sum(flat, chosen, num_segments=codes))
    counts = decay * codebook.counts + (1.0 - decay) * fresh_counts
    sums = decay * codebook.sums + (1.0 - decay) * fresh_sums
    total = jnp.sum(counts)
    smoothed = (counts + epsilon) / (total + codes * epsilon) * total
    return Codebook(sums / smoothed[:, None], counts, sums)


def revive(codebook: Codebook, latents: jax.Array, key: jax.Array, threshold: float | jax.Array = 1.0) -> Codebook:
    """Codes whose average count fell below `threshold` (latents a batch) restart at latents of this batch, count 1.

    Random restarts (Dhariwal et al. 2020, Jukebox, 3.1). Which latents is a function of the key and the global batch
    alone; while the batch has as many latents as there are codes, no two codes get the same one.
    """
    codes, dims = codebook.embedding.shape
    everyone = axis.gather(lax.stop_gradient(latents)).reshape(-1, dims)
    order = jax.random.permutation(keys.named(key, "revive"), everyone.shape[0])
    replacements = everyone[jnp.resize(order, (codes,))]
    dead = codebook.counts < threshold
    return Codebook(
        jnp.where(dead[:, None], replacements, codebook.embedding),
        jnp.where(dead, 1.0, codebook.counts),
        jnp.where(dead[:, None], replacements, codebook.sums),
    )
