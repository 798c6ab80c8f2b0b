"""From what a person writes after `--sampler` to how samples are drawn.

NAME, NAME:VALUE or NAME:OPTION=VALUE,OPTION=VALUE is a sampler that the model declares (`Algorithm.samplers`), with its
options set: prior, truncated:0.7. Two are evaluation's own, made of `encode` and `decode`:

posterior        z ~ q(z|x) of random training examples: what the decoder does on the aggregate posterior
reconstruction   the decoded posterior means of the reference examples. A prior's FD far above this one's means that the
                 aggregate posterior and the prior do not match (Ghosh et al. 2020, arXiv:1903.12436)
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from gen_jax.core import dealing, keys
from gen_jax.core.errors import UserError
from gen_jax.core.types import Algorithm, Array, Sampler, Weights, given_of
from gen_jax.data.feed import to_batch
from gen_jax.data.source import Source

OWN = ("posterior", "reconstruction")
BATCH = 250  # samples of one compiled call; part of the protocol, since noise depends on the place in the batch
# (weights, key of the whole sample set, numbers of batches) -> (samples [BATCH, ...], their labels or None) of each
Draw: TypeAlias = Callable[[Weights, Array, Iterable[int]], Iterator[tuple[np.ndarray, np.ndarray | None]]]


class Asked(NamedTuple):
    """What `--sampler` says: a sampler's name and its options, complete."""

    name: str
    options: dict[str, float]

    def __str__(self) -> str:
        """One text for one meaning: NAME, NAME:VALUE or NAME:OPTION=VALUE,…"""
        values = [f"{value:.9g}" for value in self.options.values()]
        if len(values) <= 1:
            return ":".join([self.name, *values])
        return f"{self.name}:" + ",".join(f"{name}={value}" for name, value in zip(self.options, values, strict=True))


def read(spec: str, algorithm: Algorithm) -> Asked:
    """What `spec` asks of this model. Raises UserError for a sampler that it has not, and for options that it has not
    or that are no numbers.
    """
    name, colon, argument = spec.partition(":")
    if name in OWN and not colon:
        if algorithm.encode is None or algorithm.decode is None:
            raise UserError(f"--sampler {spec} needs a model that can encode and decode; use --sampler prior")
        return Asked(name, {})
    if name not in algorithm.samplers:
        raise UserError(f"this model has no sampler {name!r}; there are {', '.join(_there(algorithm))}")
    options = dict(algorithm.samplers[name].options)
    if not colon:
        return Asked(name, options)
    if not options:
        raise UserError(f"--sampler {spec}: {name} has no options; use --sampler {name}")
    for part in argument.split(","):
        option, equals, text = part.partition("=")
        if not equals:
            option, text = next(iter(options)), part
        if option not in options:
            raise UserError(f"--sampler {spec}: {name} has no option {option!r}; it has {', '.join(options)}")
        try:
            options[option] = float(text)
        except ValueError:
            example = Asked(name, dict(algorithm.samplers[name].options))
            raise UserError(f"--sampler {spec}: {text!r} is no number; write it as in {example}") from None
    return Asked(name, options)


def _there(algorithm: Algorithm) -> list[str]:
    own = OWN if algorithm.encode is not None and algorithm.decode is not None else ()
    return [*algorithm.samplers, *own] or ["none at all"]


def make(asked: Asked, algorithm: Algorithm, source: Source, weights: Weights, split: str) -> Draw:
    """The sampler that was asked for. `weights` are looked at for shapes alone, `split` names the reference.

    What a model is given is that of the reference split, in its order, so that class frequencies agree. Raises
    UserError where the data have nothing of the kind, and where the options are none that the sampler can work with.
    """
    if asked.name in OWN:
        return _from_examples(asked.name, algorithm, source, weights, split)
    return _declared(asked, algorithm.samplers[asked.name], source, weights, split)


def _declared(asked: Asked, sampler: Sampler, source: Source, weights: Weights, split: str) -> Draw:
    names, options, examples = sampler.given, asked.options, source.split(split)

    def given_to(number: int) -> dict[str, Array]:
        if not names:
            return {}
        rows = (number * BATCH + np.arange(BATCH)) % examples.size
        if examples.arrays is not None:  # images are not looked at for labels alone
            raw = {name: examples.arrays[name][rows] for name in names if name in examples.arrays}
        else:
            raw = examples.read(rows)
        _refuse_missing(names, raw, source)
        return dict(to_batch({name: jnp.asarray(raw[name]) for name in names}))

    compiled = dealing.by_device(partial(sampler.draw, **options) if options else sampler.draw, static=(2,))
    # Options that the sampler refuses are a mistake of the command line: it is to be heard before anything is measured.
    first, key = given_to(0), jax.random.key(0)
    jax.eval_shape(lambda w: sampler.draw(w, key, BATCH, first, **options), weights)

    def ask(key: Array, number: int) -> tuple[tuple, np.ndarray | None]:
        given = given_to(number)
        labels = np.asarray(given["label"]) if "label" in given else None
        return (jax.random.fold_in(key, number), BATCH, given), labels

    return _drawing(compiled, ask)


def _drawing(compiled: dealing.ByDevice, ask: Callable[[Array, int], tuple[tuple, np.ndarray | None]]) -> Draw:
    """`ask(key, number)`: what the sampler is asked for that batch, and the batch's labels."""

    def draw(weights: Weights, key: Array, numbers: Iterable[int]) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        told: deque[np.ndarray | None] = deque()  # of batches that are being drawn

        def batches() -> Iterator[tuple]:
            for number in numbers:
                asked, labels = ask(key, number)
                told.append(labels)
                yield asked

        for samples in compiled(weights, batches()):
            yield samples, told.popleft()

    return draw


def _refuse_missing(names: tuple[str, ...], raw: Mapping[str, np.ndarray], source: Source) -> None:
    if missing := [name for name in names if name not in raw]:
        raise UserError(f"this model is given {', '.join(missing)}, which {source.name} does not have")


def _from_examples(kind: str, algorithm: Algorithm, source: Source, weights: Weights, split: str) -> Draw:
    encode, decode = algorithm.encode, algorithm.decode
    assert encode is not None
    assert decode is not None
    noisy = kind == "posterior"
    examples = source.train if noisy else source.split(split)
    _refuse_missing(algorithm.given, examples.read(np.arange(1)), source)

    def again(weights: Weights, raw: dict[str, Array], key: Array) -> Array:
        batch = to_batch(raw)
        found = encode(weights, batch)
        latents = found["mean"]
        if noisy:
            noise = keys.normal(keys.named(key, "posterior"), BATCH, *latents.shape[1:])
            latents = latents + jnp.exp(found["log_variance"] / 2) * noise
        return decode(weights, latents, given_of(batch, algorithm.given))

    if noisy:
        example = jax.eval_shape(lambda w: encode(w, to_batch(examples.read(np.arange(2)))), weights)
        if "log_variance" not in example:
            raise UserError("--sampler posterior needs an encoder with a spread; use --sampler reconstruction")

    def ask(key: Array, number: int) -> tuple[tuple, np.ndarray | None]:
        rows = number * BATCH + np.arange(BATCH)
        if noisy:
            seed = np.asarray(jax.random.key_data(jax.random.fold_in(key, number))).tolist()
            rows = np.random.default_rng(seed).integers(examples.size, size=BATCH)
        raw = examples.read(rows % examples.size)
        return (raw, jax.random.fold_in(key, number)), raw.get("label")

    return _drawing(dealing.by_device(again), ask)
