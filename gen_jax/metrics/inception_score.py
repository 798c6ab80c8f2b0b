"""Inception score: exp of the mean KL from each sample's class distribution to the marginal (arXiv:1606.03498)."""

import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.metrics.precision import follows_dtype


class Score(NamedTuple):
    """Mean and standard deviation (ddof 0) over the splits."""

    mean: float
    std: float


@follows_dtype
def split_score(logits):
    """exp E_x KL(p(y|x) || p(y)) of one split: class logits [N, K] -> scalar."""
    log_p = jax.nn.log_softmax(jnp.asarray(logits))
    log_marginal = jax.nn.logsumexp(log_p, axis=0) - jnp.log(len(log_p))
    return jnp.exp(jnp.mean(jnp.sum(jnp.exp(log_p) * (log_p - log_marginal), axis=1)))


def inception_score(logits, splits: int = 10, seed: int | None = 2020) -> Score:
    """Mean ± std over `splits` contiguous parts of logits [N, K], computed in float64.

    `seed` shuffles first (as torch-fidelity does; it matters when samples come ordered by class); None keeps the order.
    On a classifier other than Inception call it a classifier score. The fastest way to a meaningless number is to feed
    Inception's biased logits: the reference graph has no bias ("logits_unbiased").
    """
    logits = np.asarray(logits, np.float64)
    if len(logits) < splits:
        raise UserError(f"an inception score over {splits} splits needs at least {splits} samples, got {len(logits)}")
    if seed is not None:
        logits = logits[np.random.RandomState(seed).permutation(len(logits))]
    bounds = [i * len(logits) // splits for i in range(splits + 1)]
    values = [float(split_score(logits[a:b])) for a, b in itertools.pairwise(bounds)]
    return Score(float(np.mean(values)), float(np.std(values)))
