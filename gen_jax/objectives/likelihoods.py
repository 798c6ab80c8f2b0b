"""Decoder likelihoods p(x|z) as records of pure functions: binary, and continuous densities of an image in [-1, 1].

The likelihoods of 8-bit levels (discretized logistics, 256-way softmax) are in `discretized.py`.

Conventions. An image is [B, ..., C] float in [-1, 1] (from uint8, x = level / 127.5 - 1); a decoder's raw output is
[B, ..., P] with `P = likelihood.parameters(C)`. `log_prob` is in nats, a value an element of the image (of coupled
channels one a pixel, [B, ..., 1]); `sum_event` makes log p(x|z) of them, or of those that a mask picks.
A continuous `log_prob` is a density *per unit of that [-1, 1] image*. Published numbers on [0, 1] data are lower by
log 2 = 0.693 nats a dimension than ours (the same probability, spread over half the length), and `bits_per_dim` adds
the exact term for 256 levels. For k importance samples, `jax.vmap(likelihood.log_prob, in_axes=(0, None))`.
"""

import math
from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

import jax
import jax.numpy as jnp

from gen_jax.core import axis, keys
from gen_jax.core.errors import UserError

LOG_2PI = math.log(2.0 * math.pi)
HALF_RANGE = 127.5  # grey levels in one unit of a [-1, 1] image


class Likelihood(NamedTuple):
    """p(x | decoder output). `levels` is the number of values a pixel can take, None for a density."""

    name: str
    parameters: Callable[[int], int]  # image channels C -> decoder output channels P
    log_prob: Callable[
        [jax.Array, jax.Array], jax.Array
    ]  # (outputs [B, ..., P], image [B, ..., C]) -> [B, ..., C or 1]
    mean: Callable[[jax.Array], jax.Array]  # outputs -> image [B, ..., C]
    sample: Callable[[jax.Array, jax.Array], jax.Array]  # (outputs, key) -> image [B, ..., C], layout-free
    levels: int | None


def bits_per_dim(log_prob: jax.Array, dims: int, levels: int | None) -> jax.Array:
    """Bits a dimension from a log-likelihood (or bound) in nats, same shape as `log_prob`.

    Discrete (`levels` set): -log_prob / (dims ln 2), whatever the scale of the image. A density (None) is per unit
    of x = level/127.5 - 1, so a level is 1/127.5 wide and log2(127.5) = 6.994 is added. (The usual "+8" is the same
    rule for x = level/256 in [0, 1].) A density bounds the discrete code length only on uniformly dequantised data
    (Theis et al. 2016); on raw levels the number can go below zero and means nothing.
    """
    bits = -log_prob / (dims * math.log(2.0))
    return bits if levels is not None else bits + math.log2(HALF_RANGE)


def sum_event(values: jax.Array, mask: jax.Array | None = None) -> jax.Array:
    """[B, *event] -> [B]: the sum over everything but the leading axis, or over where `mask` is not 0.

    mask: broadcasts to `values`, such as [B, H, W, 1]. What is masked away adds nothing, whatever it is.
    """
    chosen = values if mask is None else jnp.where(mask != 0, values, 0.0)
    # Flat: XLA's CPU vectorises along the innermost axis, and of images that is a channel or a short row.
    return jnp.sum(chosen.reshape(chosen.shape[0], -1), axis=1)


def levels_of(likelihood: Likelihood, how: "Binarization") -> int | None:
    """`Algorithm.levels`: a Bernoulli of pixels that are not binarised is a cross-entropy, no likelihood."""
    return 0 if likelihood.name == "bernoulli" and how is Binarization.NONE else likelihood.levels


def unit(image: jax.Array) -> jax.Array:
    """[-1, 1] -> [0, 1]."""
    return (image + 1.0) / 2.0


@jax.custom_jvp
def softplus(x: jax.Array) -> jax.Array:
    """log(1 + e^x). `jax.nn.softplus` without its cases for infinities, and with the slope written as it is: a CPU
    takes a third of the time for the two together."""
    return jnp.maximum(x, 0.0) + jnp.log1p(jnp.exp(-jnp.abs(x)))


@softplus.defjvp
def _softplus_jvp(primals, tangents):
    (x,), (direction,) = primals, tangents
    small = jnp.exp(-jnp.abs(x))  # the exponential that the value computed: XLA finds that it is the same
    return softplus(x), jnp.where(x >= 0, 1.0, small) / (1.0 + small) * direction


def _noise(draw: Callable[..., jax.Array], key: jax.Array, like: jax.Array) -> jax.Array:
    return draw(keys.named(key, "likelihood"), like.shape[0], *like.shape[1:])


def bernoulli() -> Likelihood:
    """Bernoulli of each pixel's (x+1)/2, outputs are logits (P = C). Binarise the data first: see `binarize.py`.

    Targets strictly between -1 and 1 give the popular cross-entropy on grey levels; that is a fine training signal
    but not a log-likelihood (it doesn't normalise), so no number from it may be called NLL or bits/dim.
    """

    def log_prob(outputs, image):
        flat, pixels = outputs.reshape(outputs.shape[0], -1), image.reshape(image.shape[0], -1)
        return (unit(pixels) * flat - softplus(flat)).reshape(outputs.shape)

    def sample(outputs, key):
        return jnp.where(_noise(keys.uniform, key, outputs) < jax.nn.sigmoid(outputs), 1.0, -1.0)

    return Likelihood("bernoulli", lambda c: c, log_prob, lambda o: 2.0 * jax.nn.sigmoid(o) - 1.0, sample, 2)


def _odd_ratio(logits: jax.Array, far: Callable, series: tuple[float, ...], switch: float = 0.3) -> jax.Array:
    """`far(logits)` away from 0, a polynomial in logits² near it; both branches are kept finite for the gradient."""
    near = jnp.abs(logits) < switch
    square = jnp.where(near, logits, 0.0) ** 2
    taylor = jnp.zeros_like(logits)
    for coefficient in reversed(series):
        taylor = taylor * square + coefficient
    return jnp.where(near, taylor, far(jnp.where(near, 1.0, logits)))


def _cb_log_normaliser(logits: jax.Array) -> jax.Array:
    """log ∫₀¹ e^{l u} du = log((e^l - 1)/l), elementwise in the logit l: the paper's normaliser, in terms of the logit.

    Written as l/2 + log(sinh(l/2)/(l/2)): the second, even term doesn't overflow as |l|/2 + log((1 - e^{-|l|})/|l|),
    and near l = 0 (λ near ½) it is the series l²/24 - l⁴/2880 + l⁶/181440 - ...
    """

    def far(logit):
        size = jnp.abs(logit)
        return size / 2 + jnp.log(-jnp.expm1(-size) / size)

    even = _odd_ratio(logits, far, (0.0, 1 / 24, -1 / 2880, 1 / 181440, -1 / 9676800))
    return logits / 2 + even


def _cb_mean(logits: jax.Array) -> jax.Array:
    """Mean on [0, 1]: 1/2 + (coth(l/2)/2 - 1/l), with the bracket's series l/12 - l³/720 + l⁵/30240."""
    ratio = _odd_ratio(
        logits, lambda s: (0.5 / jnp.tanh(s / 2) - 1 / s) / s, (1 / 12, -1 / 720, 1 / 30240, -1 / 1209600)
    )
    return 0.5 + logits * ratio


def continuous_bernoulli() -> Likelihood:
    """Continuous Bernoulli on (x+1)/2 ∈ [0, 1], outputs are logits (P = C). Loaiza-Ganem & Cunningham 2019.

    p(u) ∝ λ^u (1-λ)^(1-u) with its normaliser, which is stable at λ = ½ by a series. The density here is per unit of
    the [-1, 1] image: half the paper's, hence the - log 2 a dimension.
    """

    def log_prob(outputs, image):
        return unit(image) * outputs - _cb_log_normaliser(outputs) - math.log(2.0)

    def sample(outputs, key):
        # Inverse CDF of the density e^{s u} with s = -|logit| (never overflows), mirrored for positive logits.
        uniforms = _noise(keys.uniform, key, outputs)
        size = jnp.abs(outputs)
        safe = jnp.where(size < 1e-3, 1.0, size)
        position = jnp.where(size < 1e-3, uniforms, -jnp.log1p(uniforms * jnp.expm1(-safe)) / safe)
        return 2.0 * jnp.where(outputs > 0, 1.0 - position, position) - 1.0

    return Likelihood("continuous_bernoulli", lambda c: c, log_prob, lambda o: 2.0 * _cb_mean(o) - 1.0, sample, None)


def _normal_log_prob(image: jax.Array, mean: jax.Array, log_scale: jax.Array) -> jax.Array:
    return -0.5 * (((image - mean) * jnp.exp(-log_scale)) ** 2 + LOG_2PI) - log_scale


def gaussian(sigma: float | jax.Array) -> Likelihood:
    """N(x; outputs, sigma²) with one fixed or traced sigma (P = C), in units of the [-1, 1] image.

    With sigma = sqrt(1/2) the log-likelihood is minus the squared error, up to a constant. Means and samples are
    unbounded (points may lie outside [-1, 1]); whoever writes pictures clips.
    """

    def log_prob(outputs, image):
        return _normal_log_prob(image, outputs, jnp.log(jnp.asarray(sigma, outputs.dtype)))

    def sample(outputs, key):
        return outputs + sigma * _noise(keys.normal, key, outputs)

    return Likelihood("gaussian", lambda c: c, log_prob, lambda o: o, sample, None)


def gaussian_learned(minimum: float = -5.0, maximum: float = 2.0) -> Likelihood:
    """N(x; mean, scale²) with a scale for each pixel and channel: outputs are [..., mean C | log-scale C] (P = 2C).

    The log-scale passes through a soft clamp to (minimum, maximum), so gradients live on outside it. The default
    floor e^-5 is 0.86 of a grey level: below that a density on 8-bit data grows without bound and teaches nothing.
    """

    def split(outputs):
        mean, raw = jnp.split(outputs, 2, axis=-1)
        bounded = maximum - jax.nn.softplus(maximum - raw)
        return mean, minimum + jax.nn.softplus(bounded - minimum)

    def log_prob(outputs, image):
        return _normal_log_prob(image, *split(outputs))

    def sample(outputs, key):
        mean, log_scale = split(outputs)
        return mean + jnp.exp(log_scale) * _noise(keys.normal, key, mean)

    return Likelihood("gaussian_learned", lambda c: 2 * c, log_prob, lambda o: split(o)[0], sample, None)


def optimal_scale(outputs: jax.Array, image: jax.Array, minimum: float = -6.0) -> jax.Array:
    """σ* = root of the mean squared error over the *global* batch, floored at exp(minimum): scalar. σ-VAE, eq. 7."""
    mean_square = axis.batch_mean(jnp.mean((image - outputs) ** 2, axis=tuple(range(1, image.ndim))))
    return jnp.sqrt(jnp.maximum(mean_square, math.exp(2.0 * minimum)))


def gaussian_optimal(minimum: float = -6.0) -> Likelihood:
    """σ-VAE (Rybkin et al. 2021): N(x; outputs, σ*²) with the shared σ* that is optimal for the batch (P = C).

    Averaged over the global batch this is -D/2 (log(2π MSE) + 1). σ* is fitted to the very images that it scores, so
    for held-out numbers carry σ* from training (`optimal_scale`) and score with `gaussian(sigma)`; σ* can't be known
    without an image, so `sample` returns the mean, as the paper's pictures do.
    """

    def log_prob(outputs, image):
        return _normal_log_prob(image, outputs, jnp.log(optimal_scale(outputs, image, minimum)))

    return Likelihood("gaussian_optimal", lambda c: c, log_prob, lambda o: o, lambda o, key: o, None)


class Binarization(Enum):
    """What is done to the pixels before they are scored."""

    NONE = "none"  # as they are; under a Bernoulli these are soft targets, not a likelihood
    DYNAMIC = "dynamic"  # drawn anew at every visit (Salakhutdinov & Murray 2008; Burda et al. 2016)
    THRESHOLD = "threshold"  # bright half against dark half
    FIXED = "fixed"  # drawn once for each image, as in the fixed binarised MNIST of Larochelle & Murray 2011


def check(likelihood: Likelihood, shape: tuple[int, ...], binarization: Binarization) -> None:
    """Refuse combinations that give a number without meaning. `shape` is one example's: (H, W, C) or (D,).

    Raises UserError for a Bernoulli on unbinarised colour images or on points, and for a likelihood of 256 levels
    on points or on binarised pixels.
    """
    image = len(shape) == 3
    if likelihood.levels == 2 and not image:
        raise UserError(
            "a bernoulli likelihood needs images, and these are points; use the gaussian likelihood, as "
            "experiments/vae_points.py does"
        )
    if likelihood.levels == 2 and shape[-1] > 1 and binarization is Binarization.NONE:
        raise UserError(
            f"a bernoulli likelihood on {shape[-1]}-channel images that are not binarised is no likelihood; "
            "use discretized_logistic_mixture, or binarise the data (dynamic, threshold or fixed)"
        )
    if (likelihood.levels or 0) > 2 and not image:
        raise UserError(f"{likelihood.name} needs 8-bit images, and these are points; use the gaussian likelihood")
    if (likelihood.levels or 0) > 2 and binarization is not Binarization.NONE:
        raise UserError(f"{likelihood.name} models 256 levels, and binarised pixels have 2; use bernoulli")
