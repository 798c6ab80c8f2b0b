"""What is measured: a model's weights, its data and the sample sets drawn from it, each drawn and embedded once."""

import copy
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from gen_jax.core import dealing, keys
from gen_jax.core.types import Algorithm, Weights
from gen_jax.data import source as sources
from gen_jax.data.source import Source, Split
from gen_jax.metrics import frechet
from gen_jax.metrics.features import Extractor
from gen_jax.runs.abilities import need, need_sampler
from gen_jax.runs.config import Config
from gen_jax.runs.evaluation import extractors, samplers
from gen_jax.runs.evaluation.cache import remembered

BLOCK = 500  # real images embedded at a time
KEPT = 10_000  # reference features that neighbours and kernels look at; the moments cover the whole split


class Options(NamedTuple):
    """What a person chose beside the metrics."""

    features: str = "auto"
    samples: int | None = None  # a metric's own number where it has one, else as many as the reference (10,000 at most)
    reference: str = "test"
    sampler: str = "prior"
    seed: int = 0
    repeats: int = 5
    nll_samples: int = 5000
    nll_examples: int | None = None
    inception_weights: Path | None = None
    against: str | None = None  # what auroc calls strange
    score: str = "model"  # by which it tells the two apart: a name of `runs.scores`
    background: Path | None = None  # another run, for the score "ratio"
    mask: str = "random:0.5"  # what is hidden of examples that are completed: a family of `data.masks`


class Embedded(NamedTuple):
    """A set of images as features [N, D], with what is known of each."""

    features: np.ndarray
    logits: np.ndarray | None
    labels: np.ndarray | None
    moments: frechet.Moments | None = None  # of the whole split, which may be larger than `features`


class Subject:
    """One model with one set of weights. Everything is made when first asked for, and kept."""

    def __init__(
        self,
        algorithm: Algorithm,
        weights: Weights,
        source: Source,
        config: Config,
        options: Options,
        run_dir: Path | None = None,
    ):
        self.algorithm, self.weights, self.source, self.config = algorithm, weights, source, config
        self.options, self.run_dir = options, run_dir
        self.memory: dict[Any, Any] = {}  # what metrics share: results by name
        self._fakes: dict[tuple[int, int], Embedded] = {}
        self._references: dict[tuple[str, bool], Embedded] = {}

    def at(self, weights: Weights) -> "Subject":
        """The same with other weights: reference, features and compiled sampler stay."""
        _made_here = self.draw, self.extractor  # once, and not in every copy
        other = copy.copy(self)
        other.weights, other.memory, other._fakes = weights, {}, {}
        return other

    @property
    def devices(self) -> int:
        """How many devices make its batches: those on which its weights lie."""
        return len(dealing.devices(self.weights))

    # ---- the real side -----------------------------------------------------------------------------------------------
    @functools.cached_property
    def extractor(self) -> Extractor:
        return extractors.make(self.options.features, self.source, self.config, self.options.inception_weights)

    @property
    def split(self) -> Split:
        return self.source.split(self.options.reference)

    def reference(self, split: str | None = None, whole: bool = False) -> Embedded:
        """A real split (the reference by default) under the extractor, from the cache where it was embedded before.

        Moments cover the whole split; features, logits and labels at most `KEPT` examples, or all with `whole`.
        """
        name = split or self.options.reference
        size = self.source.split(name).size
        place = name, whole and size > KEPT
        if place not in self._references:
            identity = {
                "data": self.source.fingerprint, "split": name, "kept": size if whole else min(size, KEPT),
                "features": self.extractor.stamp,
            }  # fmt: skip
            arrays = remembered("reference", identity, lambda: self._embed_split(name, identity["kept"]), True)
            moments = frechet.Moments(*(arrays[part] for part in frechet.Moments._fields)) if "mean" in arrays else None
            found = Embedded(arrays["features"], arrays.get("logits"), arrays.get("labels"), moments)
            self._references[place] = found
        return self._references[place]

    def _embed_split(self, name: str, kept: int) -> dict[str, np.ndarray]:
        split, extractor = self.source.split(name), self.extractor
        chosen = np.zeros(split.size, bool)
        chosen[sources.evenly(split.size, kept)] = True
        with_moments = extractor.dimension <= extractors.LARGEST
        moments = frechet.empty(extractor.dimension) if with_moments else None
        parts: dict[str, list[np.ndarray]] = {"features": [], "logits": [], "labels": []}
        blocks = [np.arange(start, min(start + BLOCK, split.size)) for start in range(0, split.size, BLOCK)]
        blocks = [rows for rows in blocks if moments is not None or chosen[rows].any()]

        def embedded(numbers: Sequence[int]) -> Iterator[Any]:
            for number in numbers:
                raw = split.read(np.resize(blocks[number], BLOCK))  # filled up: one compiled shape
                yield (*embed(extractor, raw["x"]), raw.get("label"))

        found = dealing.over_processes(len(blocks), embedded)
        for rows, (vectors, logits, labels) in zip(blocks, found, strict=True):
            keep, vectors = chosen[rows], vectors[: len(rows)]
            if moments is not None:
                padded = np.zeros((BLOCK, extractor.dimension))
                padded[: len(rows)] = vectors
                moments = frechet.update(moments, padded, np.arange(BLOCK) < len(rows))
            parts["features"].append(vectors[keep])
            if logits is not None:
                parts["logits"].append(logits[: len(rows)][keep])
            if labels is not None:
                parts["labels"].append(labels[: len(rows)][keep])
        arrays = {name: np.concatenate(found) for name, found in parts.items() if found}
        return arrays | ({} if moments is None else {k: np.asarray(v) for k, v in moments._asdict().items()})

    # ---- the generated side ------------------------------------------------------------------------------------------
    @functools.cached_property
    def draw(self) -> samplers.Draw:
        return samplers.make(self.sampler, self.algorithm, self.source, self.weights, self.options.reference)

    @functools.cached_property
    def sampler(self) -> samplers.Asked:
        """The sampler and its options. Raises UserError where this model has no such sampler."""
        return samplers.read(self.options.sampler, self.algorithm)

    @property
    def conditional(self) -> bool:
        """Whether samples are made for labels."""
        return "label" in self.given

    @property
    def given(self) -> tuple[str, ...]:
        """What samples are made for."""
        own = self.sampler.name in samplers.OWN
        return self.algorithm.given if own else self.algorithm.samplers[self.sampler.name].given

    def count(self, wanted: int | None = None) -> int:
        """How many samples a set has: --samples, else what the metric wants, else as many as the reference."""
        return self.options.samples or wanted or min(self.split.size, KEPT)

    def batches(self, count: int, repeat: int) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """(samples, labels) of one of the repeated sample sets, a batch at a time. Floats, as the model made them."""
        return self._dealt(count, repeat, lambda images, labels, rows: (images, labels))

    def _dealt(self, count: int, repeat: int, see: Callable[[np.ndarray, Any, int], tuple]) -> Iterator[Any]:
        """`see(samples, labels, rows)` of every batch of a sample set, of which so many rows are wanted and kept."""
        key = jax.random.fold_in(keys.named(jax.random.key(self.options.seed), "evaluation"), repeat)

        def wanted(number: int) -> int:
            return min(count - number * samplers.BATCH, samplers.BATCH)

        def seen(numbers: Sequence[int]) -> Iterator[tuple]:
            for number, drawn in zip(numbers, self.draw(self.weights, key, numbers), strict=True):
                yield see(*drawn, wanted(number))

        for number, parts in enumerate(dealing.over_processes(-(-count // samplers.BATCH), seen)):
            yield tuple(None if part is None else part[: wanted(number)] for part in parts)

    def images(self, count: int, repeat: int = 0) -> tuple[np.ndarray, np.ndarray | None]:
        """A whole sample set and its labels."""
        images, labels = zip(*self.batches(count, repeat), strict=True)
        return np.concatenate(images), None if labels[0] is None else np.concatenate(labels)

    def fakes(self, repeat: int, count: int | None = None) -> Embedded:
        """A sample set under the extractor, drawn and embedded once."""
        count = count or self.count()
        if (repeat, count) not in self._fakes:

            def see(images: np.ndarray, labels: np.ndarray | None, rows: int) -> tuple:
                return (*embed(self.extractor, images[np.resize(np.arange(rows), samplers.BATCH)]), labels)

            features, logits, labels = zip(*self._dealt(count, repeat, see), strict=True)
            self._fakes[repeat, count] = Embedded(
                np.concatenate(features),
                None if logits[0] is None else np.concatenate(logits),
                None if labels[0] is None else np.concatenate(labels),
            )
        return self._fakes[repeat, count]

    def need(self, name: str, metric: str) -> Callable:
        """The algorithm's function `name`. Raises UserError where the model cannot do it."""
        return need(self.algorithm, name, metric)

    def need_samples(self, metric: str) -> None:
        """Raises UserError where this model cannot draw samples as it was asked to."""
        if not self.algorithm.samplers and self.options.sampler not in samplers.OWN:
            need_sampler(self.algorithm, metric)
        _made_here = self.draw


def embed(extractor: Extractor, images: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """(features, logits or None) of images, in one pass through the network."""
    if extractor.both is not None:
        return extractor.both(images)
    return extractor.apply(images), extractor.logits(images) if extractor.logits else None
