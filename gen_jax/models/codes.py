"""The contract of regularisers: what they see of a batch's codes, and how their terms join a loss."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from gen_jax.core.errors import UserError
from gen_jax.core.types import Array, Hyper


class Codes(NamedTuple):
    """What a regulariser sees of a batch: one sample z of each q(z|x), and how it came about."""

    latents: Array  # [B, d]
    mean: Array  # [B, d]
    log_variance: Array | None  # [B, d]; None of a deterministic encoder
    decode: Callable[[Array], Array]  # latents [B, d] -> x [B, ...], as in evaluation: examples stay apart
    hyper: Hyper
    key: Array  # own to this regulariser


class Regularizer(NamedTuple):
    """A term of the encoder's and decoder's loss: hyper[weight] * function(codes), a scalar over local rows."""

    weight: str
    function: Callable[[Codes], Array]


def weighted(terms: Sequence[Regularizer], codes: Codes, first: int) -> tuple[Array, dict[str, Array]]:
    """(the weighted sum of the terms, each value as a metric under its weight's name).

    first: number of the first term's key; the others count on from it.
    """
    total, values = jnp.float32(0.0), {}
    for number, term in enumerate(terms, first):
        value = term.function(codes._replace(key=jax.random.fold_in(codes.key, number)))
        values[f"regularizer/{term.weight}"] = value
        total = total + codes.hyper[term.weight] * value
    return total, values


def check_latent_size(latent_size: int) -> None:
    if latent_size < 1:
        raise UserError(f"a latent size of {latent_size} leaves nothing to encode into; use 1 or more")
