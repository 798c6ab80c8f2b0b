"""How much samples differ from one another, and how smoothly they follow the latents."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gen_jax.core import keys
from gen_jax.core.errors import UserError
from gen_jax.data import source as sources
from gen_jax.data.kinds import need_images
from gen_jax.metrics import perceptual, ssim
from gen_jax.runs.evaluation.metric import Metric, Value, over_repeats
from gen_jax.runs.evaluation.scores import feature_stamp, sample_stamp, samples_at_least
from gen_jax.runs.evaluation.subject import KEPT, Subject
from gen_jax.runs.given import in_turn

PAIRS = 1_000
STEP = 1e-2  # in latent space: 1e-4, as published, is below what float32 differences can show
PATHS, PATH_BATCH = 10_000, 100


# ---- MS-SSIM between samples -----------------------------------------------------------------------------------------
def _check_ssim(subject: Subject) -> None:
    samples_at_least(2, "ms_ssim")(subject)
    shape = subject.source.shape
    need_images(subject.source, "ms_ssim", "leave it out")
    if min(shape[:2]) < ssim.WINDOW:
        raise UserError(
            f"ms_ssim looks through windows of {ssim.WINDOW} pixels, and these images have {min(shape[:2])}"
        )


def _ssim_stamp(subject: Subject) -> dict[str, Any]:
    scales = len(ssim.scales_for(min(subject.source.shape[:2])))
    return {**sample_stamp(subject), "reference": subject.options.reference, "pairs": PAIRS, "scales": scales}


def _ssim(subject: Subject) -> list[Value]:
    found = [
        ssim.diversity(subject.images(subject.count(), repeat)[0], PAIRS, repeat)
        for repeat in range(subject.options.repeats)
    ]
    raw = subject.split.read(sources.evenly(subject.split.size, KEPT))["x"]
    null = ssim.diversity(sources.to_float(raw), PAIRS)
    return [
        over_repeats("MS-SSIM between samples (1: all alike)", found, details={"reference": null}),
        Value("MS-SSIM between reference images", null, details={"null": True}),
    ]


# ---- perceptual path length ------------------------------------------------------------------------------------------
def _check_path(subject: Subject) -> None:
    for name in ("prior", "decode"):
        subject.need(name, "ppl")
    if subject.extractor.embed is None:
        raise UserError("ppl needs features that see floats; use --features lenet, pixels or pca")
    if subject.count(PATHS) < PATH_BATCH:
        raise UserError(f"ppl needs {PATH_BATCH} paths or more; use --samples 10000")


def _path_stamp(subject: Subject) -> dict[str, Any]:
    return {
        **feature_stamp(subject),
        "paths": subject.count(PATHS),
        "latent step": STEP,
        "interpolation": "spherical, lengths kept",
        "ends": "full paths",
        "tails cut": "1 % each",
    }


def _path(subject: Subject) -> list[Value]:
    algorithm, weights, embed = subject.algorithm, subject.weights, subject.extractor.embed
    prior, decode, count = algorithm.prior, algorithm.decode, subject.count(PATHS)
    assert prior is not None
    assert decode is not None
    assert embed is not None
    given = in_turn(algorithm.given, subject.source, PATH_BATCH)
    shape = jax.eval_shape(lambda: prior(weights, jax.random.key(0), PATH_BATCH, given)).shape[1:]

    def generate(latents: jax.Array) -> jax.Array:
        ends = len(latents) // PATH_BATCH
        both = {name: jnp.tile(values, (ends,) + (1,) * (values.ndim - 1)) for name, values in given.items()}
        return decode(weights, latents.reshape(-1, *shape), both)

    key = keys.named(jax.random.key(subject.options.seed), "path length")
    found = perceptual.perceptual_path_length(
        generate,
        embed,
        lambda key, number: prior(weights, key, number, given).reshape(number, -1),
        key,
        samples=count,
        batch_size=PATH_BATCH,
        epsilon=STEP,
        interpolate=perceptual.great_circle,
    )
    kept = len(found.distances) * 0.98
    half = 1.96 * found.std / np.sqrt(kept)
    name = f"PPL ({subject.extractor.name})"
    return [Value(name, found.mean, (found.mean - half, found.mean + half), "95 % normal, over paths")]


MS_SSIM = Metric(_check_ssim, _ssim_stamp, _ssim)
PATH_LENGTH = Metric(_check_path, _path_stamp, _path)
