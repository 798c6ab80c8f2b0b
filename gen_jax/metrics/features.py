"""Feature extractors: images to vectors, each with a name that says what it is and a stamp that a score carries.

Real and generated images take the same path: floats in [-1, 1] are rounded to uint8 first, as an image file would be.
"""

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.core.threads import one_thread
from gen_jax.metrics import efficientnet, inception, lenet


class Extractor(NamedTuple):
    """`apply(images) -> [N, dimension] float32`; `both` gives (features, class logits) in one pass where there are
    classes; `embed` is the same features as a JAX function of floats in [-1, 1], not rounded; `stamp` goes beside every
    score.
    """

    name: str  # what follows "FD-" in the name of a distance
    dimension: int
    apply: Callable[[np.ndarray], np.ndarray]
    stamp: dict[str, Any]
    logits: Callable[[np.ndarray], np.ndarray] | None = None
    embed: Callable[[jax.Array], jax.Array] | None = None
    both: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]] | None = None


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


def pixels(shape: tuple[int, ...]) -> Extractor:
    """Raw pixels in [-1, 1], flattened."""

    def apply(images):
        images = as_uint8(images)
        return images.reshape(len(images), -1).astype(np.float32) / 127.5 - 1

    stamp = {"features": "pixels", "dimension": int(np.prod(shape))}
    return Extractor("pixels", stamp["dimension"], apply, stamp, embed=lambda images: images.reshape(len(images), -1))


def points(dimension: int) -> Extractor:
    """Points as they are, [N, D]: the features of toy data."""

    def apply(values):
        values = np.asarray(values, np.float32)
        if not np.isfinite(values).all():
            raise UserError("points hold non-finite values; no score is defined on them")
        return values

    return Extractor("points", dimension, apply, {"features": "points", "dimension": dimension}, embed=lambda x: x)


@one_thread()
def pca(train_images, components: int = 64) -> Extractor:
    """Projection on the leading principal components of the training images' pixels; signs fixed, so repeatable."""
    flat = pixels(np.shape(train_images)[1:]).apply
    train = flat(train_images).astype(np.float64)
    if not 1 <= components <= min(train.shape):
        raise UserError(f"{components} principal components need that many images and pixels, got {list(train.shape)}")
    mean = train.mean(axis=0)
    if train.shape[1] <= len(train):
        values, vectors = np.linalg.eigh(np.cov(train - mean, rowvar=False))
        values, basis = values[::-1], vectors[:, ::-1][:, :components]
    else:  # fewer images than pixels: the covariance has no more directions than images, and is never formed
        _, singular, rows = np.linalg.svd(train - mean, full_matrices=False)
        values, basis = singular**2, rows[:components].T
    basis = basis * np.sign(basis[np.abs(basis).argmax(axis=0), np.arange(components)])
    explained = float(values[:components].sum() / values.sum())
    stamp = {"features": "pca", "dimension": components, "explained_variance": explained}
    stamp["weights"] = lenet.weight_hash({"mean": mean, "basis": basis})
    return Extractor(
        "PCA",
        components,
        lambda images: ((flat(images) - mean) @ basis).astype(np.float32),
        stamp,
        embed=lambda images: (images.reshape(len(images), -1) - jnp.float32(mean)) @ jnp.float32(basis),
    )


def from_classifier(classifier: lenet.Classifier, data: str) -> Extractor:
    """The 84 penultimate features of a trained LeNet; `data` names what it was trained on, for the stamp."""
    stamp = {
        "features": f"lenet:{data}",
        "dimension": lenet.FEATURES,
        "architecture": lenet.ARCHITECTURE,
        "test_accuracy": classifier.test_accuracy,
        "weights": lenet.weight_hash(classifier.params),
    }

    def both(images):
        return lenet.apply(classifier, as_uint8(images))

    def embed(images):
        return lenet.LeNet(classifier.classes).apply({"params": classifier.params}, images)[0]

    return Extractor(
        "LeNet", lenet.FEATURES, lambda images: both(images)[0], stamp, lambda images: both(images)[1], embed, both
    )


def by_channel(extractor: Extractor, channels: int) -> Extractor:
    """An extractor of grey images on each channel of colour ones, side by side: the features of stacked digits.

    `logits` become [N, channels, classes].
    """

    def apart(images):
        images = as_uint8(images)
        return [images[..., channel : channel + 1] for channel in range(channels)]

    embed, logits, dimension = extractor.embed, extractor.logits, extractor.dimension * channels
    return Extractor(
        f"{extractor.name}-by-channel",
        dimension,
        lambda images: np.concatenate([extractor.apply(part) for part in apart(images)], axis=1),
        {**extractor.stamp, "features": f"{extractor.stamp['features']} by channel", "dimension": dimension},
        logits and (lambda images: np.stack([logits(part) for part in apart(images)], axis=1)),
        embed and (lambda images: jnp.concatenate([embed(part) for part in jnp.split(images, channels, -1)], axis=1)),
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
    """pool3 of the 2015-12-05 Inception network from the weight file of that name, as published or as the verb
    convert-inception wrote it; grey images become 3 channels.
    """
    params = inception.load(path)
    stamp = {
        "features": "inception-2015-12-05:pool3",
        "dimension": 2048,
        "resize": "TF1 bilinear, 299, align_corners=False",
        "weights": lenet.weight_hash(params),
    }
    network = inception.Inception()
    return _network("Inception", stamp, params, inception.apply, lambda p, x: network.apply({"params": p}, x))


def efficientnet_lite0() -> Extractor:
    """The 1,280 pooled features of EfficientNet-Lite0, from the package that ships its ImageNet weights."""
    params, file_hash = efficientnet.load()
    stamp = {
        "features": "efficientnet-lite0:pool",
        "dimension": efficientnet.FEATURES,
        "resize": "TF1 bilinear, 224, align_corners=False",
        "weights": lenet.weight_hash(params),
        "weight_file": file_hash[:16],
    }
    network = efficientnet.EfficientNetLite0()
    return _network("EfficientNet", stamp, params, efficientnet.apply, lambda p, x: network.apply({"params": p}, x))


def _network(name: str, stamp: dict[str, Any], params, apply: Callable, forward: Callable) -> Extractor:
    """An extractor of RGB images from `apply(params, uint8) -> (features, logits)` and its JAX form on 0..255."""

    def both(images):
        return apply(params, as_uint8(images))

    def embed(images):
        return forward(params, (jnp.broadcast_to(images, (*images.shape[:3], 3)) + 1) * 127.5)[0]

    dimension = stamp["dimension"]
    return Extractor(name, dimension, lambda x: both(x)[0], stamp, lambda x: both(x)[1], embed, both)
