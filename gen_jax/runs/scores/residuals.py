"""Scores of a reconstruction G(E(x)): in x, in the discriminator's features, and of both.

f-AnoGAN: Schlegl et al. 2019 (residual and features, each a mean of squares, κ = 1). ALAD: Zenati et al. 2018,
arXiv:1812.02288 (L1 in features; on a BiGAN they are those of its pair discriminator). AnoGAN: Schlegl et al. 2017,
arXiv:1703.05921, for a GAN without an encoder: z by gradient descent, λ = .1.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from gen_jax.core import keys
from gen_jax.core.errors import UserError
from gen_jax.core.types import Array, Batch, Weights, given_of
from gen_jax.runs.evaluation.subject import Subject
from gen_jax.runs.scores.score import Rank, Score, Single, need_numbers, on_device, squared

KAPPA = 1.0  # of the features, in f-AnoGAN
LAMBDA, SEARCH_STEPS, SEARCH_RATE = 0.1, 200, 0.05  # AnoGAN's weight of the features, and its descent
LOGITS = "logits/real"


def again(subject: Subject, score: str) -> Callable[[Weights, Batch], Array]:
    """(weights, batch) -> the reconstruction of x."""
    encode, decode = subject.need("encode", score), subject.need("decode", score)
    given = subject.algorithm.given
    return lambda weights, batch: decode(weights, encode(weights, batch)["mean"], given_of(batch, given))


def _reconstruction(subject: Subject) -> Rank:
    rebuilt = again(subject, "reconstruction")
    return on_device(subject, lambda weights, batch, key: squared(rebuilt(weights, batch) - batch["x"]))


def _between(subject: Subject, score: str, measure: Callable[[Array], Array]) -> Single:
    """A measure [B, n] -> [B] of the difference of features of x and of its reconstruction."""
    rebuilt, features = again(subject, score), subject.need("features", score)

    def function(weights: Weights, batch: Batch, key: Array) -> Array:
        there, here = features(weights, batch, batch["x"]), features(weights, batch, rebuilt(weights, batch))
        return measure(there - here)

    return function


def _mean_square(difference: Array) -> Array:
    return jnp.mean(difference.reshape(len(difference), -1) ** 2, axis=-1)


def _f_anogan(subject: Subject) -> Rank:
    rebuilt, features = again(subject, "f_anogan"), _between(subject, "f_anogan", _mean_square)

    def function(weights: Weights, batch: Batch, key: Array) -> Array:
        residual = _mean_square(rebuilt(weights, batch) - batch["x"])
        return residual + KAPPA * features(weights, batch, key)

    return on_device(subject, function)


def _logit(subject: Subject) -> Rank:
    found = _logits(subject)
    return on_device(subject, lambda weights, batch, key: -found(weights, batch, key))


def _logits(subject: Subject) -> Single:
    from gen_jax.runs.scores.score import value

    return value(subject, LOGITS, "logit")


def _anogan(subject: Subject) -> Rank:
    algorithm = subject.algorithm
    decode, features = subject.need("decode", "anogan"), subject.need("features", "anogan")
    prior, adam = subject.need("prior", "anogan"), optax.adam(SEARCH_RATE)

    def function(weights: Weights, batch: Batch, key: Array) -> Array:
        given, x = given_of(batch, algorithm.given), batch["x"]
        seen = features(weights, batch, x)

        def distance(latents: Array) -> Array:
            fake = decode(weights, latents, given)
            residual = jnp.abs(fake - x).sum() / math.sqrt(x.size)
            return (1 - LAMBDA) * residual + LAMBDA * jnp.abs(features(weights, batch, fake) - seen).sum()

        def step(carry: tuple, _: None) -> tuple[tuple, None]:
            latents, memory = carry
            updates, memory = adam.update(jax.grad(distance)(latents), memory)
            return (optax.apply_updates(latents, updates), memory), None

        start = prior(weights, keys.named(key, "search"), 1, given)
        (latents, _), _ = jax.lax.scan(step, (start, adam.init(start)), None, length=SEARCH_STEPS)
        return distance(latents)[None]

    return on_device(subject, function)


def _check_anogan(subject: Subject) -> None:
    for name in ("prior", "decode", "features"):
        subject.need(name, "anogan")


def _check_features(score: str) -> Callable[[Subject], None]:
    def check(subject: Subject) -> None:
        if subject.algorithm.encode is None and subject.algorithm.features is not None:
            raise UserError(f"{score} compares x with its reconstruction, and this GAN has no encoder; try anogan")
        again(subject, score)
        subject.need("features", score)

    return check


def _residual(score: str, measure: Callable[[Array], Array]) -> Score:
    return Score(_check_features(score), lambda subject: on_device(subject, _between(subject, score, measure)))


def _check_reconstruction(subject: Subject) -> None:
    need_numbers(subject, "reconstruction")
    again(subject, "reconstruction")


RECONSTRUCTION = Score(_check_reconstruction, _reconstruction)
LOGIT = Score(_logits, _logit)
FEATURE_DISTANCE = _residual("feature_distance", _mean_square)
ALAD = _residual("alad", lambda difference: jnp.abs(difference).sum(axis=-1))
F_ANOGAN = Score(_check_features("f_anogan"), _f_anogan, lambda subject: {"kappa": KAPPA})
ANOGAN = Score(_check_anogan, _anogan, lambda subject: {"lambda": LAMBDA, "descent": f"{SEARCH_STEPS} steps"}, batch=50)
