"""Models without networks, whose scores are known, for the tests of evaluation."""

import functools
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from gen_jax.core import keys
from gen_jax.core.types import Algorithm, Sampler, Weights
from gen_jax.data import source
from gen_jax.models.samplers import latent_samplers
from gen_jax.runs.config import Config
from gen_jax.runs.evaluation.subject import Options, Subject

SIDE, LATENT = 12, 3
CONFIG = Config(data="npz:made")


def images(count, seed, labels=None):
    """Bright squares on noise, uint8; with labels, the square's place depends on them."""
    random = np.random.default_rng(seed)
    made = random.integers(0, 60, (count, SIDE, SIDE, 1))
    places = random.integers(0, 2, count) if labels is None else labels
    for image, place in zip(made, places, strict=True):
        image[4 * place : 4 * place + 5, 3:8] += random.integers(100, 190)
    return made.astype(np.uint8)


@functools.cache
def made(train=200, test=120, classes=2):
    labels = [np.arange(count, dtype=np.int32) % 2 for count in (train, test)]
    splits = [{"x": images(len(each), seed, each), "label": each} for seed, each in enumerate(labels)]
    if classes is None:
        splits = [{"x": split["x"]} for split in splits]
    return source.from_arrays("npz:made", *splits, classes)


def decode(weights, latents, given: Mapping = {}):
    """A linear decoder with weights [LATENT, pixels]; latents -> images in [-1, 1]."""
    return jnp.tanh(latents @ weights.params["decoder"]["w"]).reshape(-1, SIDE, SIDE, 1)


@functools.cache  # one function object, one compilation
def gan(conditional=False):
    def prior(weights, key, count, given: Mapping = {}):
        return keys.normal(keys.named(key, "latents"), count, LATENT)

    def decode_given(weights, latents, given: Mapping = {}):
        return decode(weights, latents + 10 * given["label"][:, None])

    def evaluate(weights, batch, key):
        return {"logits": batch["x"].mean(axis=(1, 2, 3))}

    given, decode_ = (("label",), decode_given) if conditional else ((), decode)
    return Algorithm(
        init=None,  # type: ignore
        update=None,  # type: ignore
        minibatches={"train": 1},
        hyper={},
        given=given,
        samplers=latent_samplers(prior, decode_, given, normal_prior=True),
        prior=prior,
        normal_prior=True,
        decode=decode_,
        evaluate=evaluate,
    )


def drawing(draw):
    """`gan` with another way of drawing its samples."""
    return gan()._replace(samplers={"prior": Sampler(draw)})


def encode(weights, batch):
    mean = batch["x"].reshape(len(batch["x"]), -1) @ weights.params["decoder"]["w"].T
    return {"mean": mean, "log_variance": jnp.full_like(mean, -1.0)}


def bounds(weights, batch, key, samples):
    value = batch["x"].mean(axis=(1, 2, 3)) * 100
    return {"value": value, "standard_error": jnp.full_like(value, 0.5), "effective_samples": jnp.full_like(value, 7.0)}


def vae():
    return gan()._replace(encode=encode, likelihood=bounds, levels=None)


def copier(data, share=1.0):
    """A generator that returns training images (a share of its samples) and held-out ones (the rest)."""
    train, test = (jnp.asarray(source.to_float(split.arrays["x"])) for split in (data.train, data.test))

    def draw(weights, key, count, given: Mapping = {}):
        rows = [jax.random.randint(keys.named(key, name), (count,), 0, 100) for name in ("train", "test")]
        copied = jax.random.uniform(key, (count, 1, 1, 1)) < share
        return jnp.where(copied, train[rows[0]], test[rows[1]])

    return drawing(draw)._replace(decode=None, prior=None)


def weights(seed=0):
    w = jax.random.normal(jax.random.key(seed), (LATENT, SIDE * SIDE)) / 4
    return Weights({"decoder": {"w": w}}, {})


def subject(algorithm=None, data=None, view=None, config=CONFIG, **options):
    chosen = {"features": "pca:8", "samples": 100, "repeats": 2, **options}
    return Subject(algorithm or gan(), view or weights(), data or made(), config, Options(**chosen))
