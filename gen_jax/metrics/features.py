"""Feature extractors: images to vectors, each with a name that says what it is and a stamp that a score carries.

Real and generated images take the same path: floats in [-1, 1] are rounded to uint8 first, as an image file would be.
"""

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.metrics import inception, lenet


class Extractor(NamedTuple):
    """`apply(images) -> [N, dimension] float32`; `logits` where there are classes; `stamp` goes beside every score."""

    name: str  # what follows "FD-" in the name of a distance
    dimension: int
    apply: Callable[[np.ndarray], np.ndarray]
    stamp: dict[str, Any]
    logits: Callable[[np.ndarray], np.ndarray] | None = None


def as_uint8(images) -> np.ndarray:
    """Images [N, H, W, C] as uint8: uint8 unchanged, floats in [-1, 1] rounded to the nearest level and clipped."""
    images = np.asarray(images)
    if images.ndim != 4:
        raise UserError(f"feature extractors take images [N, H, W, C], got shape {list(images.shape)}")
    if images.dtype == np.uint8:
        return images
    if not np.issubdtype(images.dtype, np.floating):
        raise UserError(f"feature extractors take uint8 images or floats in [-1, 1], got {images.dtype}")
    if not np.isfinite(images).all():
        raise UserError("images hold non-finite values; no score is defined on them")
    return np.clip(np.rint((images + 1) * 127.5), 0, 255).astype(np.uint8)


def distance_name(extractor: Extractor) -> str:
    """The name of a Fréchet distance on these features: "FID" on Inception's pool3 only, "FD-LeNet" and so on else."""
    return "FID" if extractor.name == "Inception" else f"FD-{extractor.name}"


def pixels(shape: tuple[int, int, int]) -> Extractor:
    """Raw pixels in [-1, 1], flattened."""

    def apply(images):
        images = as_uint8(images)
        return images.reshape(len(images), -1).astype(np.float32) / 127.5 - 1

    return Extractor("pixels", int(np.prod(shape)), apply, {"features": "pixels", "dimension": int(np.prod(shape))})


def pca(train_images, components: int = 64) -> Extractor:
    """Projection on the leading principal components of the training images' pixels; signs fixed, so repeatable."""
    flat = pixels(np.shape(train_images)[1:]).apply
    train = flat(train_images).astype(np.float64)
    if not 1 <= components <= min(train.shape):
        raise UserError(f"{components} principal components need that many images and pixels, got {list(train.shape)}")
    mean = train.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(train - mean, rowvar=False))
    basis = vectors[:, ::-1][:, :components]
    basis = basis * np.sign(basis[np.abs(basis).argmax(axis=0), np.arange(components)])
    explained = float(values[::-1][:components].sum() / values.sum())
    stamp = {"features": "pca", "dimension": components, "explained_variance": explained}
    stamp["weights"] = lenet.weight_hash({"mean": mean, "basis": basis})
    return Extractor("PCA", components, lambda images: ((flat(images) - mean) @ basis).astype(np.float32), stamp)


def from_classifier(classifier: lenet.Classifier, data: str) -> Extractor:
    """The 84 penultimate features of a trained LeNet; `data` names what it was trained on, for the stamp."""
    stamp = {
        "features": f"lenet:{data}",
        "dimension": lenet.FEATURES,
        "architecture": lenet.ARCHITECTURE,
        "test_accuracy": classifier.test_accuracy,
        "weights": lenet.weight_hash(classifier.params),
    }
    return Extractor(
        "LeNet",
        lenet.FEATURES,
        lambda images: lenet.apply(classifier, as_uint8(images))[0],
        stamp,
        lambda images: lenet.apply(classifier, as_uint8(images))[1],
    )


def trained(
    data: str,
    fingerprint: str,
    train: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    cache_dir: str | os.PathLike,
) -> Extractor:
    """`lenet:DATA`: the features of a LeNet trained on this data's real training split, or read back from the cache.

    `train` and `test` are (uint8 images [N, H, W, C], labels [N]); `fingerprint` is the data's SHA-256.
    """
    classifier = lenet.cached_classifier(cache_dir, fingerprint, *train, *test)
    extractor = from_classifier(classifier, data)
    return extractor._replace(stamp={**extractor.stamp, "data_fingerprint": fingerprint})


def from_inception(path) -> Extractor:
    """pool3 of the 2015-12-05 Inception network from the weight file of that name; grey images become 3 channels."""
    params = inception.load(path)
    stamp = {
        "features": "inception-2015-12-05:pool3",
        "dimension": 2048,
        "resize": "TF1 bilinear, 299, align_corners=False",
        "weights": lenet.weight_hash(params),
    }

    def part(index):
        return lambda images: inception.apply(params, as_uint8(images))[index]

    return Extractor("Inception", 2048, part(0), stamp, part(1))
