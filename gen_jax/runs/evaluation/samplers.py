"""From what a person writes after `--sampler` to how samples are drawn. The only place where samplers are named.

prior            z from the model's own prior: the model as it is (the default)
truncated:T      z from the standard normal cut at |z| < T (BigGAN's truncation, arXiv:1809.11096)
posterior        z ~ q(z|x) of random training examples: what the decoder does on the aggregate posterior
reconstruction   the decoded posterior means of the reference examples. A prior's FD far above this one's means that the
                 aggregate posterior and the prior do not match (Ghosh et al. 2020, arXiv:1903.12436)
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from gen_jax.core import keys
from gen_jax.core.errors import UserError
from gen_jax.core.types import Algorithm, Array, Weights
from gen_jax.data.feed import to_batch

KINDS = "prior, truncated:T, posterior, reconstruction"
BATCH = 250  # samples of one compiled call; part of the protocol, since noise depends on the place in the batch
# (weights, key of the whole sample set, number of the batch) -> (samples [BATCH, ...], their labels or None)
Draw: TypeAlias = Callable[[Weights, Array, int], tuple[Array, np.ndarray | None]]


def make(spec: str, algorithm: Algorithm, source: Any, weights: Weights, split: str) -> Draw:
    """The sampler that `spec` names. `weights` are looked at for what the model can do, `split` names the reference.

    Conditional models are given the labels of the reference split, in its order, so that class frequencies agree.
    Raises UserError where this model has no such sampler.
    """
    if algorithm.sample is None:
        raise UserError("this model cannot draw samples, so no score of samples is defined for it")
    labels = _labels(source, split) if is_conditional(algorithm, source, weights) else None
    kind, _, argument = spec.partition(":")
    if spec == "prior":
        return _from_noise(algorithm.sample, labels)
    if kind == "truncated" and argument:
        return _truncated(argument, algorithm, weights, labels)
    if spec in ("posterior", "reconstruction"):
        return _from_examples(spec, algorithm, source, weights, split)
    raise UserError(f"there is no sampler {spec!r}; there are {KINDS}")


def is_conditional(algorithm: Algorithm, source: Any, weights: Weights) -> bool:
    """Whether samples depend on the label that they are asked for: looked up by drawing the same noise twice."""
    if source.classes is None or source.classes < 2 or algorithm.sample is None:
        return False
    draw = jax.jit(algorithm.sample, static_argnums=2)
    first, second = (draw(weights, jax.random.key(0), 2, jnp.full(2, label, jnp.int32)) for label in (0, 1))
    return not np.array_equal(np.asarray(first), np.asarray(second))


def has_normal_prior(algorithm: Algorithm, weights: Weights) -> bool:
    """Whether the model's latents are standard normal: looked up by comparing its draws with those.

    Models draw them under the key "latents", those whose prior is an object (`objectives.priors`) under "prior" in it.
    """
    if algorithm.prior is None:
        return False
    latents = np.asarray(algorithm.prior(weights, jax.random.key(0), 4))
    if not np.issubdtype(latents.dtype, np.floating):
        return False
    key = keys.named(jax.random.key(0), "latents")
    normal = (keys.normal(each, 4, *latents.shape[1:]) for each in (key, keys.named(key, "prior")))
    return any(np.array_equal(latents, np.asarray(draws)) for draws in normal)


def _labels(source: Any, split: str) -> np.ndarray:
    examples = getattr(source, split)
    if examples.arrays is not None:
        return examples.arrays["label"]
    return examples.read(np.arange(min(examples.size, 50_000)))["label"]


def _from_noise(sample: Callable[..., Array], labels: np.ndarray | None) -> Draw:
    compiled = jax.jit(sample, static_argnums=2)

    def draw(weights: Weights, key: Array, number: int) -> tuple[Array, np.ndarray | None]:
        given = None if labels is None else np.take(labels, number * BATCH + np.arange(BATCH), mode="wrap")
        asked = np.zeros(BATCH, np.int32) if given is None else given
        return compiled(weights, jax.random.fold_in(key, number), BATCH, jnp.asarray(asked, jnp.int32)), given

    return draw


def _truncated(argument: str, algorithm: Algorithm, weights: Weights, labels: np.ndarray | None) -> Draw:
    try:
        bound = float(argument)
    except ValueError:
        bound = 0.0
    if not 0 < bound < float("inf"):
        raise UserError(f"--sampler truncated:{argument} needs a positive number, such as truncated:0.7")
    if algorithm.decode is None or not has_normal_prior(algorithm, weights):
        raise UserError("--sampler truncated needs a model whose latents are standard normal; use --sampler prior")
    decode, prior = algorithm.decode, algorithm.prior
    assert prior is not None
    shape = jax.eval_shape(lambda: prior(weights, jax.random.key(0), 1)).shape[1:]

    def sample(weights: Weights, key: Array, count: int, label: Array | None = None) -> Array:
        def one(key: Array) -> Array:
            return jax.random.truncated_normal(key, -bound, bound, shape)

        return decode(weights, keys.draw(keys.named(key, "latents"), count, one), label)

    return _from_noise(sample, labels)


def _from_examples(spec: str, algorithm: Algorithm, source: Any, weights: Weights, split: str) -> Draw:
    encode, decode = algorithm.encode, algorithm.decode
    if encode is None or decode is None:
        raise UserError(f"--sampler {spec} needs a model that can encode and decode; use --sampler prior")
    noisy = spec == "posterior"
    examples = source.train if noisy else getattr(source, split)

    @jax.jit
    def again(weights: Weights, raw: dict[str, Array], key: Array) -> Array:
        batch = to_batch(raw)
        found = encode(weights, batch)
        latents = found["mean"]
        if noisy:
            noise = keys.normal(keys.named(key, "posterior"), BATCH, *latents.shape[1:])
            latents = latents + jnp.exp(found["log_variance"] / 2) * noise
        return decode(weights, latents, batch.get("label"))

    if noisy:
        example = jax.eval_shape(lambda w: encode(w, to_batch(examples.read(np.arange(2)))), weights)
        if "log_variance" not in example:
            raise UserError("--sampler posterior needs an encoder with a spread; use --sampler reconstruction")

    def draw(weights: Weights, key: Array, number: int) -> tuple[Array, np.ndarray | None]:
        rows = number * BATCH + np.arange(BATCH)
        if noisy:
            seed = np.asarray(jax.random.key_data(jax.random.fold_in(key, number))).tolist()
            rows = np.random.default_rng(seed).integers(examples.size, size=BATCH)
        raw = examples.read(rows % examples.size)
        return again(weights, raw, jax.random.fold_in(key, number)), raw.get("label")

    return draw
