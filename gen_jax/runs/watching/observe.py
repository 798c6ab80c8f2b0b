"""What evaluation steps see of a model beside its own held-out values: its samples beside the data, as scalars.

They are signs of failure, cheap enough for training, and not scores: a few hundred samples, distances between pixels
pooled to 16×16 or less. Scores come from `evaluate`. Every value is a function of the state and the seed alone, so a
resumed run writes the same ones.

samples/distance          Fréchet distance to held-out data over the variance of the data, in 32 principal components
samples/distance_raw      the same with raw weights, where the others are averaged
samples/coverage          held-out examples with a sample in their ball of 5 neighbours (Naeem et al. 2020), over the
                          same for training examples
samples/copied            samples three times nearer to one training example than to the next (Yoon et al. 2023)
samples/copied_held_out   the same for held-out examples: its null value
samples/class_kl          KL in nats of the classes of the nearest training examples to those of the data
samples/rarest_class      the class that is rarest beside its share of the data: its share over that share
samples/modes, …/good     of a known mixture: modes with a sample within 3 sigma, over all; samples that lie so
reconstructions/distance  samples/distance of the reconstructions of held-out data
latents/distance          Fréchet distance of q(z) to p(z) over the variance of p(z)
train/logits/real         the discriminator on training examples, judged as in held_out/logits/real
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from gen_jax.core import dealing, keys, turns
from gen_jax.core.lines import say
from gen_jax.core.threads import one_thread
from gen_jax.core.types import Algorithm, State, Weights, given_of, weights
from gen_jax.data import source as data
from gen_jax.data.feed import to_batch
from gen_jax.data.source import Source
from gen_jax.metrics.modes import discrete_kl, mixture_modes
from gen_jax.metrics.signs import copied, coverage, relative_distance, squares_between
from gen_jax.runs.given import in_turn
from gen_jax.runs.watching import heldout

NAMES = (
    "samples/distance", "samples/distance_raw", "samples/coverage", "samples/copied", "samples/copied_held_out",
    "samples/class_kl", "samples/rarest_class", "samples/modes", "samples/good", "reconstructions/distance",
    "latents/distance", "train/logits/real",
)  # fmt: skip
SAMPLES = 512  # in blocks of as many as a picture holds, at least one
REFERENCE = 4000  # training examples that samples are compared with
COMPONENTS = 32
NEIGHBOURS = 5
COMMON = 0.01  # classes with a smaller share of the data are not looked for
TRAIN_LOGITS = 1000

Observer = Callable[[State], dict[str, float]]


class Reference(NamedTuple):
    """The data as features: [N, F] of training examples with labels, [M, F] held out, and a projection [F, C]."""

    train: np.ndarray
    labels: np.ndarray | None
    held_out: np.ndarray
    projection: np.ndarray
    radii: np.ndarray  # of the held-out examples' balls, [M]
    covered: float  # coverage of the held-out examples by as many training examples
    copied: float


def observer(algorithm: Algorithm, source: Source, seed: int, measure: heldout.Evaluator | None = None) -> Observer:
    """`observe(state) -> {name: value}`. `measure` is the run's evaluator, for training examples.

    A model that cannot sample from its prior is seen by its reconstructions alone. Of several processes all have to
    observe: what is drawn is dealt out, and process 0 looks at it.
    """
    prior = algorithm.samplers.get("prior")
    # On one device the program of the sample grid: another key, no other shape.
    sample = dealing.by_device(prior.draw, static=(2,)) if prior else None
    key = keys.named(jax.random.key(seed), "observe")
    count = source.kind.samples
    given = in_turn(prior.given, source, count) if prior else {}
    held_out = _some(source.test, SAMPLES)
    reference = _reference(source, held_out) if source.kind.signs else None
    alone = source.test.size < 2
    if alone:
        say("one held-out example has no covariance: distances and coverage are left out of what is followed")
    again = _reconstructor(algorithm)
    judged = data.subset(source.train, data.evenly(source.train.size, TRAIN_LOGITS)) if measure is not None else None

    def draw(view: Weights) -> np.ndarray | None:
        if sample is None:
            return None
        run, blocks = partial(sample, view), max(1, SAMPLES // count)

        def asked(numbers: Sequence[int]) -> Iterator[tuple]:
            return ((jax.random.fold_in(key, number), count, given) for number in numbers)

        return np.concatenate([*dealing.over_processes(blocks, lambda numbers: run(asked(numbers)))])

    def observe(state: State) -> dict[str, float]:
        nonlocal judged
        view = weights(state)
        samples, raw, values = draw(view), None, None
        if state.ema and algorithm.adversarial and not alone:  # averages tell of players that circle each other
            raw = draw(weights(state, averaged=False))
        if judged is not None and measure is not None and algorithm.adversarial:
            values = measure(view, judged)
            if "logits/real" not in values:
                values = judged = None  # a discriminator of codes, say: not asked again
        return turns.by_leader(lambda: signs(view, samples, raw, values))

    @one_thread()
    def signs(
        view: Weights,
        samples: np.ndarray | None,
        raw: np.ndarray | None,
        values: Mapping[str, np.ndarray] | None,
    ) -> dict[str, float]:
        real = held_out["x"] if reference is None else reference.held_out
        feature = source.kind.signs or _points

        def distance(images: np.ndarray) -> float:
            found, wanted = feature(images), real
            if reference is not None:
                found, wanted = found @ reference.projection, wanted @ reference.projection
            return relative_distance(found, wanted)

        found = {} if samples is None or alone else {"samples/distance": distance(samples)}
        found |= {} if raw is None else {"samples/distance_raw": distance(raw)}
        if reference is not None and samples is not None:
            found |= _against(reference, feature(samples), source.classes)
        if source.modes is not None and samples is not None:
            report = mixture_modes(samples, source.modes.centres, source.modes.sigma)
            found |= {"samples/modes": report.modes / len(source.modes.centres), "samples/good": report.good}
        if again is not None:
            codes, pictures_ = again(view, held_out, keys.named(key, "posterior"))
            found |= {} if alone else {"reconstructions/distance": distance(pictures_)}
            if codes is not None and algorithm.prior is not None and not alone:
                known = given_of(to_batch(dict(held_out)), algorithm.given)
                latents = np.asarray(algorithm.prior(view, keys.named(key, "prior"), len(codes), known))
                if latents.shape == codes.shape:
                    found["latents/distance"] = relative_distance(_points(codes), _points(latents))
        if values is not None:
            found["train/logits/real"] = float(np.mean(values["logits/real"], dtype=np.float64))
        # The last digits of a matrix product are the library's business, and a run's log is compared bit for bit.
        return {name: float(f"{value:.6g}") for name, value in found.items()}

    return observe


def _against(reference: Reference, samples: np.ndarray, classes: int | None) -> dict[str, float]:
    share, nearest = copied(samples, reference.train)
    found = {"samples/copied": share, "samples/copied_held_out": reference.copied}
    if len(reference.held_out) > 1:
        cover = coverage(reference.held_out, reference.radii, samples)
        found["samples/coverage"] = cover / max(reference.covered, 1e-12)
    if classes is None or reference.labels is None:
        return found
    real = np.bincount(reference.labels, minlength=classes) / len(reference.labels)
    seen = np.bincount(reference.labels[nearest], minlength=classes) / len(nearest)
    common = real > COMMON
    found["samples/class_kl"] = discrete_kl(seen, np.maximum(real, 1e-12))
    found["samples/rarest_class"] = float((seen[common] / real[common]).min())
    return found


_REFERENCES: dict[str, Reference] = {}  # the last one: the runs of a study look at the same data


def _reference(source: Source, held_out: Mapping[str, np.ndarray]) -> Reference:
    if source.fingerprint not in _REFERENCES:
        _REFERENCES.clear()
        _REFERENCES[source.fingerprint] = _make_reference(source, held_out)
    return _REFERENCES[source.fingerprint]


@one_thread()
def _make_reference(source: Source, held_out: Mapping[str, np.ndarray]) -> Reference:
    some = _some(source.train, REFERENCE)
    feature = source.kind.signs or _points
    train, real = (feature(data.to_float(split["x"])) for split in (some, held_out))
    centred = (train - train.mean(axis=0)).astype(np.float64)
    _, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
    order = np.sqrt(np.maximum(np.sort(squares_between(real, real), axis=1), 0))
    radii = order[:, min(NEIGHBOURS, len(real) - 1)]
    alike = train[data.evenly(len(train), SAMPLES)]
    labels = some.get("label")
    return Reference(
        train,
        labels if labels is not None and (labels >= 0).all() else None,
        real,
        vectors[:, ::-1][:, :COMPONENTS].astype(np.float32),
        radii,
        coverage(real, radii, alike),
        copied(real, train)[0],
    )


def _reconstructor(algorithm: Algorithm) -> Callable[..., Any] | None:
    """(weights, arrays, key) -> (codes drawn from q(z|x), or None where it cannot be drawn from; images)."""
    if algorithm.encode is None or algorithm.decode is None:
        return None
    encode, decode = algorithm.encode, algorithm.decode

    @jax.jit
    def run(view: Weights, raw: Mapping[str, Any], key: Any) -> tuple[dict[str, Any], Any, Any]:
        batch = to_batch(dict(raw))
        code = encode(view, batch)
        noise = jax.random.normal(key, code["mean"].shape)
        return code, noise, decode(view, code["mean"], given_of(batch, algorithm.given))

    def again(view: Weights, arrays: Mapping[str, np.ndarray], key: Any) -> tuple[np.ndarray | None, np.ndarray]:
        code, noise, images = jax.device_get(run(view, arrays, key))
        mean = code["mean"]
        if "log_variance" in code:
            return mean + np.exp(code["log_variance"] / 2) * noise, images
        # A flow's posterior shows its mean alone; a deterministic code is all there is.
        return (mean if algorithm.point_codes else None), images

    return again


def _points(values: np.ndarray) -> np.ndarray:
    return values.reshape(len(values), -1)


def _some(split: data.Split, most: int) -> dict[str, np.ndarray]:
    return dict(split.read(data.evenly(split.size, most)))
