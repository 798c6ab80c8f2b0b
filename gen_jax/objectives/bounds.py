"""Importance-weighted bounds on log p(x) and their gradient estimators: one body, which differ in two coefficients.

With k samples z_i ~ q(z|x) and log-weights w_i = log p(x|z_i) + log p(z_i) - log q(z_i|x), every estimator here moves
    the decoder (and prior) along   Σ_i a_i ∂w_i/∂θ
    the encoder along               Σ_i e_i ((∂w_i/∂z_i) ∂z_i/∂φ + ∂w_i/∂φ),
where the bound sets a and e. ELBO: a = e = 1/k. IWAE: a = e = softmax(w). PIWAE takes a from IWAE and e from MIWAE.
STL and DReG drop the last term (log q sees constants for its parameters, while z stays reparameterised, so the encoder
learns through z alone), and DReG squares the softmax in e. `estimate` has the bound's value and these derivatives.

    ELBO                Kingma & Welling 2014        STL (e = a)    Roeder et al. 2017
    IWAE                Burda et al. 2016            DReG (e = a²)  Tucker et al. 2019
    MIWAE, CIWAE, PIWAE Rainforth et al. 2018
"""

import math
from collections.abc import Callable
from enum import Enum
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from gen_jax.core.errors import UserError

# A weight below this moves nothing in float32, but an encoder coefficient may be divided by it (see `estimate`).
SMALLEST_COEFFICIENT = 1e-20


class Bound(Enum):
    """Which bound the objective maximises."""

    ELBO = "elbo"
    IWAE = "iwae"
    MIWAE = "miwae"
    PIWAE = "piwae"
    CIWAE = "ciwae"


class Estimator(Enum):
    """How the encoder's gradient is estimated."""

    REPARAMETERISED = "reparameterised"
    STL = "stl"  # unbiased for the ELBO alone; with several samples inside a log it is biased, and DReG is the remedy
    DREG = "dreg"  # unbiased for every bound here; of the ELBO it is the STL


class Estimate(NamedTuple):
    """Which bound a model trains on, and how its gradient is estimated."""

    bound: Bound = Bound.ELBO
    estimator: Estimator = Estimator.REPARAMETERISED
    samples: int = 1  # k
    groups: int = 1  # of the samples, for MIWAE and PIWAE

    @property
    def plain(self) -> bool:
        """The ELBO of reparameterised samples, whose KL may be taken analytically and steered."""
        return self.bound is Bound.ELBO and self.estimator is Estimator.REPARAMETERISED


class Terms(NamedTuple):
    """The three log-densities of k samples for B examples, each [k, B], in nats."""

    log_likelihood: jax.Array  # log p(x|z)
    log_prior: jax.Array  # log p(z)
    log_posterior: jax.Array  # log q(z|x)


def log_weights(terms: Terms, beta: float | jax.Array = 1.0) -> jax.Array:
    """w = log p(x|z) + beta (log p(z) - log q(z|x)): [k, B]. Only beta = 1 bounds log p(x)."""
    return terms.log_likelihood + beta * (terms.log_prior - terms.log_posterior)


def log_mean_exp(values: jax.Array, axis: int = 0) -> jax.Array:
    """log of the mean of exp along an axis, stably."""
    return jax.nn.logsumexp(values, axis=axis) - math.log(values.shape[axis])


def elbo(log_w: jax.Array) -> jax.Array:
    """Mean of the log-weights: [k, B] -> [B]."""
    return jnp.mean(log_w, axis=0)


def iwae(log_w: jax.Array) -> jax.Array:
    """log mean weight: [k, B] -> [B]. Tighter with k; the mean is inside the log."""
    return log_mean_exp(log_w)


def miwae(log_w: jax.Array, groups: int) -> jax.Array:
    """The mean of `groups` IWAE bounds of k/groups samples each: [k, B] -> [B]."""
    return jnp.mean(log_mean_exp(log_w.reshape(groups, -1, *log_w.shape[1:]), axis=1), axis=0)


def ciwae(log_w: jax.Array, weight: float | jax.Array) -> jax.Array:
    """`weight` ELBO + (1 - weight) IWAE (the paper's β): [k, B] -> [B]."""
    return weight * elbo(log_w) + (1.0 - weight) * iwae(log_w)


def detach(parameters: Any, estimator: Estimator) -> Any:
    """q's parameters as log q must see them under this estimator: constants for STL and DReG."""
    return parameters if estimator is Estimator.REPARAMETERISED else lax.stop_gradient(parameters)


def check(bound: Bound, estimator: Estimator, samples: int, groups: int = 1) -> None:
    """UserError for a combination (an `Estimate`'s parts) that is undefined or is silently another bound."""
    if samples < 1 or groups < 1 or samples % groups:
        raise UserError(f"{samples} importance samples cannot be split into {groups} equal groups; choose a divisor")
    if groups > 1 and bound not in (Bound.MIWAE, Bound.PIWAE):
        raise UserError(f"groups={groups} means nothing for {bound.value}; use miwae or piwae, or groups=1")
    if bound is Bound.PIWAE and estimator is Estimator.REPARAMETERISED and groups == 1:
        raise UserError("piwae with one group is iwae; use more groups (and several samples in each)")


class _Coefficients(NamedTuple):
    """A bound's value [B]; d value/d w_i [k, B] for the decoder; and the encoder's, plain and squared (DReG)."""

    value: jax.Array
    decoder: jax.Array
    encoder: jax.Array
    squared: jax.Array


def _coefficients(log_w: jax.Array, bound: Bound, groups: int, weight: float | jax.Array) -> _Coefficients:
    """Each bound as its value and its coefficients. All arrays are constants of the gradient."""
    count = log_w.shape[0]
    even = jnp.full_like(log_w, 1.0 / count)
    among_all = jax.nn.softmax(log_w, axis=0)
    grouped = log_w.reshape(groups, -1, *log_w.shape[1:])
    in_group = jax.nn.softmax(grouped, axis=1).reshape(log_w.shape)
    by_group, by_group_squared = in_group / groups, in_group**2 / groups
    mixed = weight * even + (1.0 - weight) * among_all
    mixed_squared = weight * even + (1.0 - weight) * among_all**2
    table = {
        Bound.ELBO: lambda: _Coefficients(elbo(log_w), even, even, even),
        Bound.IWAE: lambda: _Coefficients(iwae(log_w), among_all, among_all, among_all**2),
        Bound.MIWAE: lambda: _Coefficients(miwae(log_w, groups), by_group, by_group, by_group_squared),
        Bound.PIWAE: lambda: _Coefficients(iwae(log_w), among_all, by_group, by_group_squared),
        Bound.CIWAE: lambda: _Coefficients(ciwae(log_w, weight), mixed, mixed, mixed_squared),
    }
    return table[bound]()


@jax.custom_vjp
def _hook(latents: Any, tie: jax.Array) -> tuple[Any, jax.Array]:
    """(latents, tie) unchanged; in reverse the latents' cotangent is multiplied by whatever reached the tie, [k, B]."""
    return latents, tie


def _hook_forward(latents, tie):
    return (latents, tie), tie


def _hook_backward(tie, cotangents):
    latents, ratio = cotangents

    def scale(cotangent):
        return cotangent * ratio.reshape(ratio.shape + (1,) * (cotangent.ndim - ratio.ndim))

    return jax.tree.map(scale, latents), jnp.zeros_like(tie)


_hook.defvjp(_hook_forward, _hook_backward)


@jax.custom_vjp
def _send(value: jax.Array, tie: jax.Array, ratio: jax.Array) -> jax.Array:
    """`value`. In reverse the tie receives `ratio` itself, whatever the cotangent of the value: a note to `_hook`."""
    return value


def _send_forward(value, tie, ratio):
    return value, ratio


def _send_backward(ratio, cotangent):
    return cotangent, ratio, jnp.zeros_like(ratio)


_send.defvjp(_send_forward, _send_backward)


def estimate(
    terms_of: Callable[[Any, Any], Any],
    latents: Any,
    posterior: Any,
    bound: Bound = Bound.ELBO,
    estimator: Estimator = Estimator.REPARAMETERISED,
    *,
    groups: int = 1,
    weight: float | jax.Array = 0.5,
    beta: float | jax.Array = 1.0,
    has_aux: bool = False,
) -> tuple[jax.Array, Any]:
    """The bound [B] in nats, with the estimator's gradient; and what `terms_of` gave: `Terms` [k, B], with
    `has_aux` a pair of them and anything else.

    `latents` is a pytree of reparameterised samples, leaves [k, B, ...]; `posterior` one of q's parameters, leaves
    [B, ...]. `terms_of(latents, posterior)` evaluates the log-densities; it gets the posterior broadcast to
    [k, B, ...], and already detached where the estimator asks for that. Everything else it closes over (decoder,
    prior) moves with the decoder. `groups` is for MIWAE and PIWAE (k/groups samples in each), `weight` is CIWAE's β,
    `beta` scales the KL part. Call `check` first. Reverse mode only, first order.

    Posteriors that aren't a density with parameters [B, ...]: in a hierarchy, sample the whole chain, then let
    `terms_of` evaluate every level at the latents it is given, with q's networks under `detach(params, estimator)`.
    For a flow, whose log q comes with its sample, put log q [k, B] among the latents (REPARAMETERISED only).
    """
    leaf = jax.tree.leaves(latents)[0]
    samples = leaf.shape[0]
    posterior = jax.tree.map(lambda p: jnp.broadcast_to(p, (samples, *p.shape)), detach(posterior, estimator))
    (latents, posterior), tie = _hook((latents, posterior), jnp.zeros(leaf.shape[:2], leaf.dtype))
    found = terms_of(latents, posterior)
    terms: Terms = found[0] if has_aux else found
    log_w = log_weights(terms, beta)
    constants = lax.stop_gradient(_coefficients(log_w, bound, groups, weight))
    # The floor keeps e/a finite where a weight underflows for the decoder but counts for the encoder (PIWAE).
    decoder = jnp.maximum(constants.decoder, SMALLEST_COEFFICIENT)
    encoder = constants.squared if estimator is Estimator.DREG else constants.encoder
    # Value: the bound. Derivative: a on the log-weights and, on the way back through latents and posterior, times e/a.
    surrogate = constants.value + jnp.sum(decoder * (log_w - lax.stop_gradient(log_w)), axis=0)
    return _send(surrogate, tie, (encoder / decoder).astype(tie.dtype)), found


class LogLikelihood(NamedTuple):
    """An importance-sampled log p(x), each [B]: a lower bound in expectation."""

    value: jax.Array  # nats
    standard_error: jax.Array  # of `value`, by the delta method; not to be trusted where the ESS is a handful
    effective_samples: jax.Array  # (Σw)²/Σw², between 1 and the number of samples


def streaming_log_likelihood(
    log_weight_chunk: Callable[[jax.Array], jax.Array], chunks: int, samples_per_chunk: int
) -> LogLikelihood:
    """log mean weight over chunks x samples_per_chunk samples in the memory of one chunk (k = 5000 for published NLLs).

    `log_weight_chunk(index)` gives the log-weights [samples_per_chunk, B] of chunk `index` (int32 scalar; fold it into
    a key). Runs as one `lax.scan`, carrying log Σw and log Σw².
    """
    shape = jax.eval_shape(log_weight_chunk, jax.ShapeDtypeStruct((), jnp.int32))
    if shape.shape[0] != samples_per_chunk:
        raise ValueError(f"log_weight_chunk gave {shape.shape[0]} samples, not {samples_per_chunk}")
    nothing = jnp.full(shape.shape[1:], -jnp.inf, shape.dtype)

    def absorb(carry, index):
        log_w = log_weight_chunk(index)
        first, second = (jax.nn.logsumexp(power * log_w, axis=0) for power in (1, 2))
        return (jnp.logaddexp(carry[0], first), jnp.logaddexp(carry[1], second)), None

    (first, second), _ = lax.scan(absorb, (nothing, nothing), jnp.arange(chunks, dtype=jnp.int32))
    count = chunks * samples_per_chunk
    effective = jnp.exp(2.0 * first - second)
    variance = jnp.maximum(count / effective - 1.0, 0.0) / max(count - 1, 1)
    return LogLikelihood(first - math.log(count), jnp.sqrt(variance), effective)
