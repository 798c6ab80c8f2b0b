"""Scores of blurred images and residuals: a difference that several pixels share counts, noise of single ones does not.

The blur is a Gaussian of one pixel's deviation. A VAE misses edges and texture everywhere by a little; summed over the
image that can outweigh a part that should not be there. Heat maps of anomalies are smoothed for the same reason
(Roth et al. 2022, arXiv:2106.08265); here it is the score of the whole image.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from gen_jax.core.types import Array, Batch, Weights
from gen_jax.data.kinds import need_images
from gen_jax.runs.evaluation.subject import Subject
from gen_jax.runs.scores import neighbours
from gen_jax.runs.scores.neighbours import AT_ONCE
from gen_jax.runs.scores.residuals import again
from gen_jax.runs.scores.score import BATCH, Rank, Raw, Score, floats, on_device, squared

DEVIATION = 1.0  # pixels


@functools.cache
def weights_of(size: int) -> np.ndarray:
    """[size, size]: what each pixel of a line takes of the others; beyond the border the line is mirrored."""
    from scipy.ndimage import gaussian_filter1d

    return gaussian_filter1d(np.eye(size), DEVIATION, axis=0).astype(np.float32)


def blur(images: Any, xp: Callable[..., Any] = np.einsum) -> Any:
    """[B, H, W, C] -> the same blurred, down and then across: both at once would be H·W products a pixel, not H + W."""
    down = xp("ih,bhwc->biwc", weights_of(images.shape[1]), images)
    return xp("jw,biwc->bijc", weights_of(images.shape[2]), down)


def _flat(images: np.ndarray) -> np.ndarray:
    return blur(images).reshape(len(images), -1)


def _reconstruction(subject: Subject) -> Rank:
    rebuilt = again(subject, "blurred_reconstruction")

    def function(weights: Weights, batch: Batch, key: Array) -> Array:
        return squared(blur(rebuilt(weights, batch) - batch["x"], jnp.einsum))

    return on_device(subject, function)


def _knn(subject: Subject, at_once: int = AT_ONCE) -> Rank:
    points = _flat(neighbours.training(subject))
    return lambda raw: neighbours.distance(_flat(floats(raw["x"])), points, at_once)


def _residual_knn(subject: Subject) -> Rank:
    return neighbours.of_both(_reconstruction(subject), _knn(subject, BATCH))


def _pca(subject: Subject) -> Rank:
    centre, axes = neighbours.components(subject)

    def rank(raw: Raw) -> np.ndarray:
        images = floats(raw["x"])
        centred = images.reshape(len(images), -1) - centre
        return (_flat((centred - centred @ axes @ axes.T).reshape(images.shape)) ** 2).sum(axis=1)

    return rank


def _check(name: str, instead: str, more: Callable[[Subject], object]) -> Callable[[Subject], None]:
    def check(subject: Subject) -> None:
        need_images(subject.source, name, f"use {instead}")
        more(subject)

    return check


def _stamp(subject: Subject) -> dict[str, object]:
    return {"blur": f"Gaussian, {DEVIATION:g} pixel"}


BLURRED_RECONSTRUCTION = Score(
    _check("blurred_reconstruction", "reconstruction", lambda subject: again(subject, "blurred_reconstruction")),
    _reconstruction,
    _stamp,
)
BLURRED_RESIDUAL_KNN = Score(
    _check("blurred_residual_knn", "residual_knn", neighbours.enough("blurred_residual_knn", "encode", "decode")),
    _residual_knn,
    lambda subject: _stamp(subject) | neighbours.KNN.stamp(subject),
)
BLURRED_PCA = Score(
    _check("blurred_pca", "pca", lambda subject: None),
    _pca,
    lambda subject: _stamp(subject) | neighbours.PCA.stamp(subject),
    batch=AT_ONCE,
)
BLURRED_KNN = Score(
    _check("blurred_knn", "knn", neighbours.enough("blurred_knn")),
    _knn,
    lambda subject: _stamp(subject) | neighbours.KNN.stamp(subject),
    batch=AT_ONCE,
)
