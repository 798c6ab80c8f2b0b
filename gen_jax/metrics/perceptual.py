"""Perceptual path length: how far features move for a small step in latent space (StyleGAN, arXiv:1812.04948)."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gen_jax.core import keys
from gen_jax.core.errors import UserError


class PathLength(NamedTuple):
    """Mean after both tails are cut at the percentiles, standard deviation of the rest, all distances [samples]."""

    mean: float
    std: float
    distances: np.ndarray


def lerp(a, b, t):
    """Straight interpolation of latents [B, d] at t [B, 1]."""
    return a + (b - a) * t


def slerp(a, b, t):
    """Interpolation along the great circle between the directions of a and b, [B, d], normalised (Gaussians)."""
    a, b = (x / jnp.linalg.norm(x, axis=-1, keepdims=True) for x in (a, b))
    cosine = jnp.sum(a * b, axis=-1, keepdims=True)
    across = b - cosine * a
    across = across / jnp.maximum(jnp.linalg.norm(across, axis=-1, keepdims=True), 1e-12)
    angle = t * jnp.arccos(jnp.clip(cosine, -1, 1))
    return a * jnp.cos(angle) + across * jnp.sin(angle)


def great_circle(a, b, t):
    """Spherical interpolation that keeps the lengths of its ends: for decoders that do not normalise their latents."""
    lengths = [jnp.maximum(jnp.linalg.norm(x, axis=-1, keepdims=True), 1e-12) for x in (a, b)]
    return slerp(a, b, t) * (lengths[0] ** (1 - t) * lengths[1] ** t)


def perceptual_path_length(
    generate: Callable[[jax.Array], jax.Array],
    features: Callable[[jax.Array], jax.Array],
    prior: Callable[[jax.Array, int], jax.Array],
    key: jax.Array,
    *,
    samples: int = 10_000,
    batch_size: int = 100,
    epsilon: float = 1e-4,
    interpolate: Callable = slerp,
    endpoints: bool = False,
    percentiles: tuple[float, float] = (1, 99),
) -> PathLength:
    """E |phi(G(z_t)) - phi(G(z_{t+eps}))|^2 / eps^2 for z_t on the path between two draws of the prior.

    `generate(latents [B, d]) -> images`, `features(images) -> [B, ...]` (any embedding with a squared Euclidean
    distance; name it, a PPL is comparable on the same features only), `prior(key, count) -> [count, d]`. t is uniform
    on [0, 1], or 0 with `endpoints`. `features` must see floats: rounding to uint8 would swallow a step of 1e-4, so use
    a larger epsilon (1e-2) with float32 networks that are steep, and say which.
    """
    if samples < 1 or epsilon <= 0:
        raise UserError("perceptual path length needs at least one sample and a positive epsilon")

    def batch(index):
        step_key = jax.random.fold_in(key, index)
        first, second = (prior(keys.named(step_key, end), batch_size) for end in ("first", "second"))
        t = jax.random.uniform(keys.named(step_key, "position"), (batch_size, 1))
        t = jnp.zeros_like(t) if endpoints else t
        latents = jnp.concatenate([interpolate(first, second, t), interpolate(first, second, t + epsilon)])
        embedded = features(generate(latents)).reshape(2, batch_size, -1)  # both ends in one batch: same statistics
        return jnp.sum((embedded[0] - embedded[1]) ** 2, axis=-1) / epsilon**2

    step = jax.jit(batch)
    distances = np.concatenate([np.asarray(step(i)) for i in range(-(-samples // batch_size))])[:samples]
    low, high = (np.percentile(distances, p, method=m) for p, m in zip(percentiles, ("lower", "higher"), strict=True))
    kept = distances[(distances >= low) & (distances <= high)]
    return PathLength(float(kept.mean()), float(kept.std()), distances)
