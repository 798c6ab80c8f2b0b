"""From what a person writes after `--features` to an extractor. The only place where features are chosen by name."""

from pathlib import Path

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.core.lines import say
from gen_jax.data import load
from gen_jax.data import source as sources
from gen_jax.data.kinds import IMAGES, need_images
from gen_jax.data.kinds.images import LARGEST as LARGEST
from gen_jax.data.source import Source
from gen_jax.metrics import features, inception, lenet
from gen_jax.metrics.features import Extractor
from gen_jax.runs.config import Config
from gen_jax.runs.evaluation.cache import cache_dir, inception_path

KINDS = "lenet, lenet:DATA, inception, efficientnet-lite0, pixels, pca, pca:COMPONENTS"
STACKED = "stacked:"
COMPONENTS = 64  # of pca, where nobody says how many and there are as many images
WITHOUT = "use --features pixels, pca or lenet:DATA"


def default(source: Source) -> str:
    """What suits their kind: lenet for images of several classes, pixels or pca for others, points as they are."""
    return source.kind.features(source.shape, source.classes)


def fitting(source: Source, config: Config) -> Extractor:
    """The default features, or, aloud, those of unlabelled data where a LeNet cannot be had or has learnt nothing."""
    spec = default(source)
    if spec != "lenet":
        if source.classes == 1:
            say(f"features are {spec}, not a LeNet's: {source.name} has one class")
        return make(spec, source, config)
    try:
        made = _lenet(config.data, source, config, strict=True)
    except Unfit as reason:
        other = source.kind.features(source.shape, None)
        say(f"features are {other}, not a LeNet's: {reason}")
        made = make(other, source, config)
    return made


def make(spec: str, source: Source, config: Config, inception_weights: Path | None = None) -> Extractor:
    """The extractor that `spec` names, for images of `source` (a run's data; `config` says how they were loaded).

    "auto" is `fitting`. LeNets are trained on first use and kept in the cache. Raises UserError for whatever
    these data cannot have, and where weights are missing.
    """
    if spec == "auto":
        return fitting(source, config)
    kind, _, argument = spec.partition(":")
    if spec == "points" and source.kind is not IMAGES:
        return features.points(source.shape[0])
    need_images(source, f"--features {spec}", "leave --features out")
    if kind == "lenet":
        return _lenet(argument or config.data, source, config)
    if spec == "pixels":
        return features.pixels(source.shape)
    if kind == "pca" and (not argument or argument.isdigit()):
        return _pca(source, int(argument) if argument else min(COMPONENTS, source.train.size))
    if spec == "inception":
        return _inception(inception_weights)
    if spec == "efficientnet-lite0":
        return features.efficientnet_lite0()
    raise UserError(f"there are no features {spec!r}; there are {KINDS}")


class Unfit(UserError):
    """These data do not make a LeNet."""


def lenet_of(source: Source, spec: str, strict: bool = False) -> Extractor:
    """The LeNet trained on the labelled images of `source`, from the cache or trained now.

    Raises Unfit where there are too few images or classes; and, when `strict`, where its test accuracy is not clearly
    above that of the commonest class, which else is told.
    """
    if source.kind is not IMAGES or source.classes is None:
        what = source.kind.name if source.kind is not IMAGES else "no labels"
        raise UserError(
            f"lenet features need labelled images, and {source.name} has {what}; use --features pixels, pca or "
            f"lenet:DATA with labelled data of the same shape"
        )
    advice = "" if strict else f"; {WITHOUT}"
    if source.train.size < lenet.BATCH:
        raise Unfit(f"{source.name} has {source.train.size} train images, and a LeNet takes {lenet.BATCH}{advice}")
    train, test = (sources.whole(split) for split in (source.train, source.test))
    if len(np.unique(train["label"])) < 2:
        raise Unfit(f"the train images of {source.name} are of one class, which no LeNet can learn from{advice}")
    made = features.trained(
        spec,
        source.fingerprint,
        (train["x"], train["label"]),
        (test["x"], test["label"]),
        cache_dir() / "lenet",
    )
    accuracy, chance = made.stamp["test_accuracy"], float(np.bincount(test["label"]).max() / len(test["label"]))
    if not above_chance(accuracy, chance, len(test["label"])):
        found = (
            f"its accuracy on the {len(test['label']):,} test images of {source.name} is {accuracy:.3g}, and calling "
            f"all of them the commonest class gives {chance:.3g}"
        )
        if strict:
            raise Unfit(found)
        say(f"the features of this LeNet mean little: {found}{advice}")
    return made


def above_chance(accuracy: float, chance: float, count: int) -> bool:
    """Whether so many right of `count` would be seen in fewer than 1 % of cases if each were right by `chance`."""
    from scipy.stats import binom

    return bool(binom.sf(round(accuracy * count) - 1, count, chance) < 0.01)


def told(source: Source, config: Config) -> Source:
    """The run's data with all their labels: a ruler knows those that a run with few labels is not shown."""
    if config.labels_per_class is None:
        return source
    return load.other(config, config.data, normal_class=config.normal_class)


def base_of(config: Config) -> Source:
    """The grey images that a run's stacked data are made of."""
    return load.other(config, config.data.removeprefix(STACKED), channels=None)


def _lenet(spec: str, source: Source, config: Config, strict: bool = False) -> Extractor:
    if spec.startswith(STACKED) and spec == config.data:
        # 1,000 classes of three digits each are no task for a LeNet: one on the digits looks at each channel.
        base = base_of(config)
        return features.by_channel(lenet_of(base, base.name, strict), source.shape[-1])
    if spec == config.data:
        return lenet_of(told(source, config), spec, strict)
    other = load.other(config, spec)
    if other.shape != source.shape:
        raise UserError(
            f"--features lenet:{spec} sees images of shape {other.shape}, and {source.name} has {source.shape}; "
            f"use --features lenet, pixels or pca"
        )
    return lenet_of(other, spec)


def _pca(source: Source, components: int) -> Extractor:
    # Some thousands of the training images fix the projection as well as all of them would.
    images = source.train.read(sources.evenly(source.train.size, 4_000))["x"]
    return features.pca(images, components)


def _inception(weights: Path | None) -> Extractor:
    path = weights or inception_path()
    if weights is None and not path.exists():
        raise UserError(
            f"--features inception needs the network's weights, which are not shipped: download {inception.URL}, then "
            f"run `{inception.CONVERT}`, or give --inception-weights FILE"
        )
    return features.from_inception(path)
