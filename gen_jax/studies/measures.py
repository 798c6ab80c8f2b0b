"""What paper scripts measure of a finished run: likelihoods, distances, modes, held-out values.

Every function takes a run that `open_trained` has rebuilt, and keys of its own, so that arms share their noise.
"""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from gen_jax.core import parallel
from gen_jax.core.types import Weights, weights
from gen_jax.data import load
from gen_jax.data.feed import to_batch
from gen_jax.data.source import whole
from gen_jax.metrics import features, frechet, modes
from gen_jax.runs import checkpoint, folder, heldout
from gen_jax.runs.evaluation.extractors import base_of, lenet_of
from gen_jax.runs.settings import from_json
from gen_jax.studies.study import load_script


class Trained(NamedTuple):
    """A finished run, rebuilt: what a measurement works with."""

    config: Any
    source: Any
    algorithm: Any
    weights: Weights
    hyper: Mapping[str, jax.Array]


def open_trained(run: Path) -> Trained:
    """A run's model with the weights (averaged, where there is an average) of its newest sound checkpoint."""
    config_type, build = load_script(run / "experiment.py")
    config = from_json(config_type, folder.read_config(run))
    source = _source(config.data, config.data_dir, config.image_size, config.channels)
    algorithm = build(config, source)
    template = jax.eval_shape(algorithm.init, jax.random.key(config.seed))
    with checkpoint.open_checkpoints(run, writable=False) as there:
        state, _ = there.restore(template, sharding=parallel.layout("jit", 1).replicated)
    return Trained(config, source, algorithm, weights(state), state.hyper)


@functools.lru_cache(maxsize=2)
def _source(data: str, data_dir: Path | None, image_size: int | None, channels: int | None) -> Any:
    """The data, read once for the many runs that are measured on them."""
    return load.load(data, data_dir and str(data_dir), image_size, channels)


def log_likelihood(trained: Trained, samples: int, batch_size: int = 100) -> dict[str, float]:
    """NLL of the test split in nats: the importance-weighted bound at k = samples (Burda et al. 2016, eq. 8), and the
    mean effective sample size, which says how far the bound is to be trusted."""
    bound = jax.jit(trained.algorithm.log_likelihood_details, static_argnums=3)
    key, test = jax.random.key(20_000), trained.source.test
    parts = []
    for number_, start in enumerate(range(0, test.size, batch_size)):
        batch = to_batch(test.read(np.arange(start, min(start + batch_size, test.size))))
        found = bound(trained.weights, batch, jax.random.fold_in(key, number_), samples)
        parts.append({name: np.asarray(value, np.float64) for name, value in found.items()})
    mean = {name: float(np.concatenate([part[name] for part in parts]).mean()) for name in parts[0]}
    return {"nll": -mean["value"], "effective_samples": mean["effective_samples"]}


def samples_of(trained: Trained, count: int, batch_size: int = 500) -> np.ndarray:
    """Samples as uint8 [count, H, W, C]: `batch_size` at a time, from keys of their own."""
    draw = jax.jit(trained.algorithm.sample, static_argnums=2)
    parts = [
        features.as_uint8(draw(trained.weights, jax.random.fold_in(jax.random.key(30_000), index), batch_size))
        for index in range(-(-count // batch_size))
    ]
    return np.concatenate(parts)[:count]


def fd_lenet(trained: Trained, reconstructions: bool = False) -> float:
    """FD-LeNet of as many samples as there are test images (or of their reconstructions) against the test images.

    The features are those of a LeNet trained on the real training split of the same data. At a thousand images the
    value is biased upwards, and equally so for all arms: compare it within a table, never across counts.
    """
    test = trained.source.test
    apply, real = _lenet(trained.source)
    made = reconstructions_of(trained) if reconstructions else samples_of(trained, test.size)
    return frechet.distance(real, frechet.moments_of(apply(made)))


REFERENCES: dict[str, tuple[Callable[[np.ndarray], np.ndarray], frechet.Moments]] = {}


def _lenet(source: Any) -> tuple[Callable[[np.ndarray], np.ndarray], frechet.Moments]:
    """(images -> the 84 features of the LeNet that was trained on this source, moments of its test images)."""
    if source.fingerprint not in REFERENCES:
        apply = lenet_of(source, source.name).apply
        REFERENCES[source.fingerprint] = apply, frechet.moments_of(apply(whole(source.test)["x"]))
    return REFERENCES[source.fingerprint]


def stacked_modes_of(trained: Trained, count: int) -> dict[str, float]:
    """Modes (of 1,000) and KL to uniform of `count` samples of a stacked source, each channel read by the LeNet of the
    source that was stacked (PacGAN, Lin et al. 2018, section 4.2)."""
    base = base_of(trained.config)
    logits = lenet_of(base, base.name).logits
    assert logits is not None
    images = samples_of(trained, count)
    report = modes.stacked_modes(np.stack([logits(images[..., i : i + 1]) for i in range(images.shape[-1])], axis=1))
    return {"modes": float(report.modes), "kl": report.reverse_kl}


def codes_of(trained: Trained, images: np.ndarray, batch_size: int = 500) -> np.ndarray:
    """Posterior means [N, d] of uint8 images [N, H, W, C]."""
    encode = jax.jit(trained.algorithm.encode)
    starts = range(0, len(images), batch_size)
    parts = [encode(trained.weights, to_batch({"x": images[i : i + batch_size]}))["mean"] for i in starts]
    return np.concatenate([np.asarray(part) for part in parts])


def reconstructions_of(trained: Trained, batch_size: int = 500) -> np.ndarray:
    """The test images from their posterior means, uint8."""
    codes = codes_of(trained, whole(trained.source.test)["x"], batch_size)
    decode, starts = jax.jit(trained.algorithm.decode), range(0, len(codes), batch_size)
    return np.concatenate([features.as_uint8(decode(trained.weights, codes[i : i + batch_size])) for i in starts])


def held_out(trained: Trained) -> dict[str, float]:
    """The model's own measures on the test split, as in training: means over examples."""
    measure = heldout.evaluator(trained.algorithm, trained.config.seed)
    return heldout.means(measure(trained.weights, trained.hyper, trained.source.test))
