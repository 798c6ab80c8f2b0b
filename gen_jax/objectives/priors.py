"""Latent priors p(z) as records of pure functions: standard normal, mixture of Gaussians, VampPrior, flow.

Parameters are handed in, so a prior can be a player with its own optimizer; priors without parameters take an empty
dict. `log_prob` sums over the latent's own axes, in nats; `sample` draws one independent stream an example.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gen_jax.core import keys
from gen_jax.objectives.divergences import normal_log_prob, normal_sample
from gen_jax.objectives.flows import Flow


class Prior(NamedTuple):
    """p(z). Latents are [..., d]."""

    init: Callable[[jax.Array], Any]  # key -> parameters
    log_prob: Callable[[Any, jax.Array], jax.Array]  # (parameters, z [..., d]) -> [...], nats
    sample: Callable[[Any, jax.Array, int], jax.Array]  # (parameters, key, count) -> [count, d]


def _no_parameters(key: jax.Array) -> dict:
    return {}


def standard_normal(dims: int) -> Prior:
    """N(0, I)."""

    def sample(params, key, count):
        return keys.normal(keys.named(key, "prior"), count, dims)

    return Prior(_no_parameters, lambda params, z: jnp.sum(normal_log_prob(z), axis=-1), sample)


def _mixture_log_prob(z, log_mix, means, log_variances):
    """log Σ_k π_k N(z; ·): z [..., d], components [K] and [K, d] -> [...]."""
    components = jnp.sum(normal_log_prob(z[..., None, :], means, log_variances), axis=-1)
    return jax.nn.logsumexp(components + log_mix, axis=-1)


def _mixture_sample(key, count, log_mix, means, log_variances):
    key = keys.named(key, "prior")
    chosen = keys.draw(keys.named(key, "component"), count, lambda k: jax.random.categorical(k, log_mix))
    return normal_sample(means[chosen], log_variances[chosen], keys.normal(key, count, means.shape[-1]))


def gaussian_mixture(dims: int, components: int, spread: float = 1.0) -> Prior:
    """Σ π_k N(mean_k, diag exp(log_variance_k)), all learned: params {"logits" [K], "mean", "log_variance" [K, d]}.

    Starts with means drawn from N(0, spread²), unit variances and equal weights.
    """

    def init(key):
        mean = spread * jax.random.normal(keys.named(key, "mixture"), (components, dims))
        return {"logits": jnp.zeros(components), "mean": mean, "log_variance": jnp.zeros((components, dims))}

    def parts(params):
        return jax.nn.log_softmax(params["logits"]), params["mean"], params["log_variance"]

    return Prior(
        init,
        lambda params, z: _mixture_log_prob(z, *parts(params)),
        lambda params, key, count: _mixture_sample(key, count, *parts(params)),
    )


def vamp(
    encode: Callable[[jax.Array], tuple[jax.Array, jax.Array]],
    shape: tuple[int, ...],
    components: int = 500,
    mean: float = 0.05,
    std: float = 0.01,
) -> Prior:
    """VampPrior (Tomczak & Welling 2018): 1/K Σ q(z | pseudo-input k), params {"pseudo_inputs": [K, *shape]}.

    `encode(images [K, *shape]) -> (mean, log_variance), each [K, d]`, is the model's encoder closed over its current
    parameters, so make this record inside the objective. Pseudo-inputs live on the paper's [0, 1] scale, start at
    N(mean, std²) and reach the encoder as images in [-1, 1] through its hard clip, which has no gradient outside:
    a start below 0 would never move.
    """

    def init(key):
        return {"pseudo_inputs": mean + std * jax.random.normal(keys.named(key, "vamp"), (components, *shape))}

    def parts(params):
        means, log_variances = encode(2.0 * jnp.clip(params["pseudo_inputs"], 0.0, 1.0) - 1.0)
        return jnp.full(means.shape[0], -jnp.log(means.shape[0])), means, log_variances

    return Prior(
        init,
        lambda params, z: _mixture_log_prob(z, *parts(params)),
        lambda params, key, count: _mixture_sample(key, count, *parts(params)),
    )


def flow_prior(flow: Callable[[Any], Flow], dims: int, init: Callable[[jax.Array], Any]) -> Prior:
    """The density of flow.forward(ε), ε ~ N(0, I): `flow(params)` builds the flow, `init(key)` its parameters.

    `log_prob` runs the inverse; a MAF is fast there and an IAF fast in sampling. Latents [N, d]; other leading axes are
    flattened for the conditioner and put back.
    """

    def log_prob(params, z):
        noise, log_det = flow(params).inverse(z.reshape(-1, dims))
        return (jnp.sum(normal_log_prob(noise), axis=-1) + log_det).reshape(z.shape[:-1])

    def sample(params, key, count):
        return flow(params).forward(keys.normal(keys.named(key, "prior"), count, dims))[0]

    return Prior(init, log_prob, sample)
