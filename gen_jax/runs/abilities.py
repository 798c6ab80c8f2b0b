"""What a tool needs of a model: the function it asks for, or one line that says that this model cannot."""

from collections.abc import Callable

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.core.types import Algorithm, Sampler
from gen_jax.data import source as sources
from gen_jax.data.kinds import TABLES


def need(algorithm: Algorithm, name: str, tool: str) -> Callable:
    """The algorithm's function `name`, for `tool`. Raises UserError where the model cannot do it."""
    function = getattr(algorithm, name)
    if function is None:
        raise UserError(f"{tool} needs a model that has `{name}`, and this one has not")
    return function


def need_sampler(algorithm: Algorithm, tool: str, name: str = "prior") -> Sampler:
    """One of the model's samplers, for `tool`. UserError where it has none of that name: with those it has."""
    if name not in algorithm.samplers:
        there = f"it has {', '.join(algorithm.samplers)}" if algorithm.samplers else "it has none at all"
        raise UserError(f"{tool} needs a model with a sampler {name!r}, and this one has not; {there}")
    return algorithm.samplers[name]


def of_classes(algorithm: Algorithm) -> str | None:
    """The first of the model's samplers that is told labels; None where there is none."""
    return next((name for name, each in algorithm.samplers.items() if "label" in each.given), None)


def need_values(algorithm: Algorithm, source: sources.Source) -> None:
    """Raises UserError where the data have gaps and the model cannot have any: it would see NaN; and where they have
    columns of categories that it would take for numbers."""
    if source.kind.mixed and not algorithm.mixed:
        raise UserError(
            f"{source.name} has columns of categories, and this model is of numbers alone; use tvae.py or ctgan.py, or "
            "leave such columns out (--columns NAME=drop)"
        )
    if algorithm.gaps or source.kind.name != TABLES.name:
        return
    if any(np.isnan(sources.whole(split)["x"]).any() for split in (source.train, source.test)):
        raise UserError(
            f"{source.name} has missing values, and this model needs them all; use miwae.py, vaeac.py or gain.py, or "
            "fill the gaps first (`python -m gen_jax complete` of such a run writes the table without them)"
        )
