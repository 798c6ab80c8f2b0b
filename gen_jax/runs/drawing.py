"""Samples as a person asks for them: so many, of this seed, of that class; for the command line and for Python."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.core.types import Array, Weights
from gen_jax.runs import memory
from gen_jax.runs.abilities import need_sampler, of_classes
from gen_jax.runs.evaluation import samplers
from gen_jax.runs.given import of_class, say_unlearnt
from gen_jax.runs.opened import Opened


class Drawn(NamedTuple):
    """x, float32 [count, *event], and what each was drawn for."""

    x: np.ndarray
    given: Mapping[str, Array]


def draw(
    opened: Opened,
    weights: Weights,
    count: int,
    seed: int,
    label: int | str | None = None,
    sampler: str = "prior",
    given: Mapping[str, Any] = {},
) -> Drawn:
    """Samples of a model. The same seed and count give the same ones, whoever asks.

    label: the class, by number or name; by default all classes in turn. sampler: its name, with options where it has
    some. given: what else the sampler is given, [count, ...] each. Raises UserError for what the model has not, and for
    a count that memory cannot hold, with one that it can.
    """
    if count < 1:
        raise UserError(f"--count {count}: ask for 1 sample or more")
    algorithm, source = opened.algorithm, opened.source
    name = sampler.partition(":")[0]
    if name in samplers.OWN:
        raise UserError(f"{name} needs held-out examples: use reconstruct(x)")
    found, asked = need_sampler(algorithm, "sample", name), samplers.read(sampler, algorithm)
    if unknown := sorted(given.keys() - set(found.given)):
        raise UserError(f"this sampler is not given {', '.join(unknown)}")
    rest = tuple(name for name in found.given if name not in given)
    if label is not None and "label" not in found.given and (able := of_classes(algorithm)):
        raise UserError(f"--label {label}: the sampler {name} is not told labels; use --sampler {able}")
    told = {**of_class(label, rest, source, count), **{name: np.asarray(value) for name, value in given.items()}}
    function, key = _compiled(found.draw, tuple(asked.options.items())), jax.random.key(seed)
    say_unlearnt(told, source)
    memory.refuse("--count", count, lambda view, key, told: function(view, key, count, told), weights, key, told)
    return Drawn(np.asarray(function(weights, key, count, told)), told)


@functools.lru_cache(maxsize=8)
def _compiled(function: Callable[..., Array], options: tuple[tuple[str, float], ...]) -> Callable[..., Array]:
    """Kept, so that a second call of the same size compiles nothing."""
    return jax.jit(functools.partial(function, **dict(options)), static_argnums=2)
